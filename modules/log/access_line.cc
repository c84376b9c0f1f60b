// One access line, built by hand: this runs for every request.
#include <time.h>

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "modules/log/log.h"

namespace belay::modules {

namespace {

void append_number(std::string& out, std::string_view key, uint64_t value) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(key).append(digits, end);
}

// True for text that stands between quotes as it is: printable ASCII without quote and backslash.
bool is_plain(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte > 0x7e || c == '"' || c == '\\') return false;
  }
  return true;
}

void append_text(std::string& out, std::string_view key, std::string_view value) {
  out.append(key);
  if (is_plain(value)) {
    out.append(1, '"').append(value).append(1, '"');
  } else {
    append_json_string(out, value);
  }
}

void append_known(std::string& out, std::string_view key, std::string_view value) {
  if (!value.empty()) append_text(out, key, value);
}

void append_time(std::string& out, WallTime time, LineClock& clock) {
  const int64_t ms = to_ms(time), second = ms / 1000;
  if (second != clock.second) {
    const time_t seconds = second;
    struct tm parts {};
    gmtime_r(&seconds, &parts);
    char text[sizeof clock.text + 1];
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.", &parts);
    std::copy(text, text + sizeof clock.text, clock.text);
    clock.second = second;
  }
  const auto rest = static_cast<int>(ms % 1000);
  const char digits[] = {static_cast<char>('0' + rest / 100), static_cast<char>('0' + rest / 10 % 10),
                         static_cast<char>('0' + rest % 10), 'Z', '"'};
  out.append("{\"time\":\"").append(clock.text, sizeof clock.text).append(digits, sizeof digits);
}

}  // namespace

void append_access_line(std::string& out, const pipeline::Exchange& exchange, LineClock& clock) {
  append_time(out, exchange.received, clock);
  char id[MessageId::kTextLength];
  exchange.id.write_text(id);
  out.append(",\"id\":\"").append(id, sizeof id).append(1, '"');
  if (exchange.source != nullptr) {
    append_text(out, ",\"source\":", exchange.source->name);
    append_text(out, ",\"trust\":", pipeline::to_string(exchange.source->trust));
  }
  append_text(out, ",\"outcome\":", wire::to_string(exchange.outcome));
  append_known(out, ",\"reason\":", exchange.reason);
  append_number(out, ",\"status\":", static_cast<uint64_t>(exchange.reply.status));
  append_known(out, ",\"method\":", exchange.request.method);
  append_known(out, ",\"path\":", exchange.request.path);
  const pipeline::Client& client = exchange.client;
  const bool cached = !client.unix_socket && !client.cached_text.empty();
  append_text(out, ",\"client\":", cached ? client.cached_text : client.text());
  append_number(out, ",\"bytes_in\":", exchange.body.size());
  append_number(out, ",\"bytes_out\":", exchange.reply.body.size());
  const auto duration = exchange.services.clock.monotonic() - exchange.started;
  append_number(out, ",\"duration_us\":", static_cast<uint64_t>(std::max<int64_t>(duration.count(), 0)));
  if (exchange.backend_us != 0) append_number(out, ",\"backend_us\":", exchange.backend_us);
  append_known(out, ",\"destination\":", exchange.destination);
  append_known(out, ",\"type\":", exchange.event.type);
  append_known(out, ",\"event_id\":", exchange.event.id);
  append_known(out, ",\"resource\":", exchange.event.resource);
  out.append("}\n");
}

}  // namespace belay::modules
