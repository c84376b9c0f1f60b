// belay show: one webhook whole: what came, what was decided, every attempt, the request.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "cli/admin_client.h"
#include "cli/commands.h"
#include "cli/event_row.h"
#include "cli/human.h"
#include "cli/json_view.h"
#include "cli/masking.h"
#include "cli/show.h"
#include "cli/table.h"

namespace belay::cli {

namespace {

constexpr size_t kMaxBodyBytes = 8 << 10;  // of the body shown to people; --raw gives all
constexpr size_t kMaxLine = 400;

using Options = ShowOptions;

class Page {
 public:
  Page() : colours_(stdout_has_colours()) {}
  void heading(std::string_view text) { out_ += fmt::format("\n{}\n", coloured(text, Colour::bold, colours_)); }
  void line(std::string_view name, const std::string& value) {
    if (!value.empty()) out_ += fmt::format("  {:<12}{}\n", name, value);
  }
  void text(std::string_view value) { out_ += value; }
  std::string colour(std::string_view value, Colour colour) const { return coloured(value, colour, colours_); }
  bool colours() const { return colours_; }
  const std::string& out() const { return out_; }

 private:
  bool colours_;
  std::string out_;
};

void show_summary(Page& page, const JsonView& event, WallTime now) {
  const WallTime received = read_time(event["received"].text()).value_or(WallTime{});
  page.text(fmt::format("{}\n", page.colour(visible(event["id"].text()), Colour::bold)));
  const std::string client = visible(event["client"].text());
  page.line("received", fmt::format("{} ({}){}", format_local_time(received), format_age(received, now),
                                    client.empty() ? "" : " from " + client));
  page.line("request", fmt::format("{} {}, body {}", visible(event["method"].text(), 20), visible(event["path"].text()),
                                   format_bytes(event["body_bytes"].number())));
  page.line("source", visible(event["source"].text()));
  page.line("trust", visible(event["trust"].text()));
  const std::string outcome = event["outcome"].text();
  page.line("outcome", fmt::format("{}, sender got {} after {}", page.colour(visible(outcome), colour_of_state(outcome)),
                                   event["status"].number(), format_microseconds(event["duration_us"].number())));
  if (event["deliveries"].items().empty()) page.line("destination", visible(event["destination"].text()));
  page.line("reason", visible(event["reason"].text(), kMaxLine));
  page.line("type", visible(event["type"].text()));
  page.line("resource", visible(event["resource"].text()));
  page.line("event id", visible(event["event_id"].text()));
}

// "503", "no answer: refused …", with the first line of what the backend said.
std::string attempt_result(const JsonView& attempt) {
  const uint64_t status = attempt["status"].number();
  const std::string error = visible(attempt["error"].text(), 160);
  std::string result = status != 0 ? fmt::format("{}", status) : "no answer";
  if (!error.empty()) result += (status != 0 ? " " : ": ") + error;
  const std::string answer = attempt["answer"].text();
  const std::string first_line = visible(std::string_view(answer).substr(0, answer.find('\n')), 100);
  if (!first_line.empty()) result += "  " + first_line;
  return result;
}

void show_delivery(Page& page, const JsonView& delivery, WallTime now) {
  const std::string state = delivery["state"].text();
  std::string line = fmt::format("  {}  {}", visible(delivery["destination"].text()),
                                 page.colour(visible(state), colour_of_state(state)));
  const std::string reason = visible(delivery["reason"].text(), kMaxLine);
  if (!reason.empty()) line += ": " + reason;
  if (const std::string first = delivery["waits_for"].text(); !first.empty()) line += ", waits for " + visible(first);
  if (const std::string batch = delivery["batch"].text(); !batch.empty()) line += ", in the batch of " + visible(batch);
  if (const auto expires = read_time(delivery["expires"].text())) line += fmt::format(", expires {}", format_age(*expires, now));
  if (const auto due = read_time(delivery["due"].text())) line += fmt::format(", next attempt {}", format_age(*due, now));
  page.text(line + "\n");

  const auto history = delivery["history"].items();
  const uint64_t attempts = delivery["attempts"].number();
  // The first and last ones are kept, the middle ones only counted: their numbers follow from the end.
  Table table({{"", Align::right}, {""}, {"", Align::right}, {""}});
  for (size_t i = 0; i < history.size(); ++i) {
    const WallTime at = read_time(history[i]["at"].text()).value_or(WallTime{});
    const bool exact = attempts == history.size();
    table.add({exact ? fmt::format("    #{}", i + 1) : "     ", format_local_time(at),
               format_duration(Duration(static_cast<int64_t>(history[i]["duration_ms"].number()))),
               attempt_result(history[i])});
  }
  page.text(table.print(page.colours(), false));
  if (attempts > history.size()) {
    page.text(fmt::format("    {} attempts in all; the first and the last ones are kept\n", attempts));
  }
}

void show_body(Page& page, const JsonView& request, std::string_view id) {
  const std::string body = request["body"].text();
  if (request["body_base64"].present()) {
    page.heading("Body");
    page.text(fmt::format("  not text; belay show {} --raw gives the bytes\n", id));
    return;
  }
  if (body.empty()) return;
  page.heading(fmt::format("Body, {}", format_bytes(body.size())));
  const std::string_view shown = std::string_view(body).substr(0, kMaxBodyBytes);
  for (size_t begin = 0; begin < shown.size();) {
    const size_t end = std::min(shown.find('\n', begin), shown.size());
    std::string_view line = shown.substr(begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    std::string spaced;
    for (const char c : line) c == '\t' ? spaced += "  " : spaced += c;
    page.text(fmt::format("  {}\n", visible(spaced, kMaxBodyBytes)));
    begin = end + 1;
  }
  if (shown.size() < body.size()) page.text(fmt::format("  …\n  belay show {} --raw gives all of it\n", id));
}

void show_request(Page& page, const std::string& heading, const JsonView& request, std::string_view id) {
  page.heading(heading);
  // People paste this into tickets. What names do not tell is shown: --raw and --json have it all.
  const Mask mask(nullptr);
  page.text(fmt::format("  {} {}\n", visible(request["method"].text(), 20), visible(mask.target(request["target"].text()), kMaxLine)));
  for (const JsonView& field : request["headers"].items()) {
    const auto pair = field.items();
    if (pair.size() == 2) page.text(fmt::format("  {}: {}\n", visible(pair[0].text()), visible(mask.field(pair[0].text(), pair[1].text()), kMaxLine)));
  }
  show_body(page, request, id);
}

int show(const char* command, const Options& options) {
  const auto id = MessageId::parse(options.id);
  if (!id) {
    return report(command, invalid(fmt::format("not a message id: '{}'; 'belay events' lists them", visible(options.id, 60))));
  }
  const auto client = AdminClient::create(options.admin);
  if (!client) return report(command, client.error());
  const std::string path = "/v1/messages/" + id->to_string();
  if (options.raw) {
    const Result<std::string> raw = (*client)->get(path + "/raw");
    if (!raw) return report(command, raw.error());
    std::fwrite(raw->data(), 1, raw->size(), stdout);
    return 0;
  }
  const auto document = (*client)->get_json(path);
  if (!document) return report(command, document.error());
  const JsonView event(**document);
  if (options.json) {
    fmt::print("{}\n", event.raw());
    return 0;
  }
  const WallTime now = SystemClock().wall();
  Page page;
  show_summary(page, event, now);
  const auto deliveries = event["deliveries"].items();
  if (!deliveries.empty()) page.heading("Deliveries");
  for (const JsonView& delivery : deliveries) show_delivery(page, delivery, now);
  if (event["request"].present()) {
    show_request(page, "Request", event["request"], id->to_string());
    for (const JsonView& delivery : deliveries) {
      if (!delivery["sent"].present()) continue;
      show_request(page, fmt::format("Sent to {} by route {}", visible(delivery["destination"].text()), delivery["route"].number()), delivery["sent"],
                   id->to_string());
    }
  } else if (!event["stored"].boolean()) {
    page.text("\nIt was not stored, so only its line in the books is kept.\n");
  }
  fmt::print("{}", page.out());
  return 0;
}

}  // namespace

int show_webhook(const char* command, const ShowOptions& options) { return show(command, options); }

void add_show(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("show", "Show one webhook: request, deliveries, attempts");
  command->add_option("id", options->id, "Message id, as 'belay events' lists it")->required()->type_name("ID");
  CLI::Option* raw = command->add_flag("--raw", options->raw, "Only the stored request, as raw HTTP, credentials included");
  command->add_flag("--json", options->json, "One JSON object")->excludes(raw);
  add_admin_flags(*command, options->admin);
  command->callback([options, &exit_code] { exit_code = show("show", *options); });
}

}  // namespace belay::cli
