// The head that a backend gets: the sender's fields in their order and case, minus what belongs to one hop, plus what Belay
// adds. Pure.
#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "http/writer.h"
#include "upstream/client.h"
#include "upstream/sign_head.h"

namespace belay::upstream {

namespace {

// What a field of the sender means to us. Most names are `other`, which their length alone decides.
enum class Known : uint8_t { other, host, hop, expect, length, webhook_id, webhook_attempt, traceparent, forwarded, identity };

// CGI, WSGI and PHP hand '-' and '_' of a name to their programs as the same letter, so a sender's X_API_Key would stand
// where the X-API-Key that Belay vouches for is read.
bool looks_like(std::string_view name, std::string_view owned) {
  if (name.size() != owned.size()) return false;
  const auto folded = [](char c) { return c == '_' ? '-' : ascii_lower(c); };
  return std::equal(name.begin(), name.end(), owned.begin(), [&](char a, char b) { return folded(a) == folded(b); });
}

Known classify(std::string_view name) {
  if (claims_identity(name)) {
    return looks_like(name, "x-forwarded-for") || looks_like(name, "x-forwarded-proto") ? Known::forwarded : Known::identity;
  }
  const auto is = [name](std::string_view word) { return ascii_iequals(name, word); };
  const auto owned = [name](std::string_view word) { return looks_like(name, word); };
  switch (name.size()) {
    case 4: return is("host") ? Known::host : Known::other;
    case 6: return is("expect") ? Known::expect : Known::other;
    case 10: return is("webhook-id") ? Known::webhook_id : http::is_hop_by_hop(name) ? Known::hop : Known::other;
    case 11: return is("traceparent") ? Known::traceparent : Known::other;
    case 14: return is("content-length") ? Known::length : Known::other;
    case 15: return owned("webhook-attempt") ? Known::webhook_attempt : Known::other;
    case 17: return is("transfer-encoding") ? Known::length : Known::other;
    default: return http::is_hop_by_hop(name) ? Known::hop : Known::other;
  }
}

bool has_name(const std::vector<std::pair<std::string, FieldValue>>& fields, std::string_view name) {
  return std::any_of(fields.begin(), fields.end(), [&](const auto& field) { return ascii_iequals(field.first, name); });
}

// Names the sender's Connection fields list beyond the two usual ones; nearly always empty, and then nothing is allocated.
std::vector<std::string_view> options_of(const http::Fields& fields) {
  for (const http::Field& field : fields) {
    if (field.name.size() != 10 || !ascii_iequals(field.name, "connection")) continue;
    if (!ascii_iequals(field.value, "keep-alive") && !ascii_iequals(field.value, "close")) return http::connection_options(fields);
  }
  return {};
}

// The sender's own Host says more than an address: it is passed on unless the url names another virtual host.
bool keeps_host(const http::Url& url) {
  const bool address = url.host.find(':') != std::string::npos || url.host.find_first_not_of("0123456789.") == std::string::npos;
  return address || url.host == "localhost" || url.scheme == "unix";
}

class Composer {
 public:
  enum class State : uint8_t { sound, broken, no_value };  // see append_head()

  Composer(std::string& out, const Destination& to, const http::Url& url, const Outbound& request)
      : out_(out), to_(to), url_(url), request_(request), has_body_(request.has_body || !request.body.empty()) {}

  // Without the empty line.
  State compose() {
    request_line();
    if (request_.fields != nullptr) {
      const auto options = options_of(*request_.fields);
      plain_ = options.empty() && to_.set_headers.empty() && to_.remove_headers.empty() && to_.authorization.empty() && to_.auth_headers.empty() && to_.oauth2 == nullptr;
      // A message needs a Host (RFC 9112 §3.2); HTTP/1.0 senders and rules may have left it out.
      if (request_.fields->find("host") == nullptr) host({});
      for (const http::Field& field : *request_.fields) {
        if (!plain_ && dropped(field.name, options)) continue;
        pass(field);
      }
    } else {
      host({});
    }
    if (has_body_ && !length_written_) content_length();
    own_fields();
    added_fields();
    return !valid_ ? State::no_value : sound_ ? State::sound : State::broken;
  }

 private:
  void request_line() {
    out_.append(request_.method).append(1, ' ');
    const size_t mark = request_.target.find('?');
    const std::string_view path = request_.target.substr(0, mark);
    const std::string_view query = mark == std::string_view::npos ? std::string_view() : request_.target.substr(mark + 1);
    if (!request_.path.empty()) {
      out_.append(request_.path);
    } else if (to_.append_path) {
      out_ += http::join_path(url_.path, request_.path_rest);
    } else {
      out_.append(url_.has_path() ? url_.path : path.empty() ? "/" : path);
    }
    // The '?' of an empty query is kept where the sender wrote one: P6.
    if (!url_.query.empty() || mark != std::string_view::npos) out_.append(1, '?').append(url_.query);
    if (!url_.query.empty() && !query.empty()) out_.append(1, '&');
    out_.append(query).append(" HTTP/1.1\r\n");
    // A rule's template may have made the path.
    const auto breaks = [](std::string_view text) { return !http::is_field_value(text) || text.find(' ') != std::string_view::npos; };
    sound_ = !breaks(request_.target) && !breaks(request_.path_rest) && !breaks(request_.path) && !breaks(request_.method);
  }

  // A line break inside a value would begin a field, or a request, of its own.
  void add(std::string_view name, std::string_view value) {
    sound_ = sound_ && http::is_field_value(value);
    http::append_field(out_, name, value);
  }

  void host(std::string_view senders) {
    if (set_by_rule("host")) return;  // own_fields() writes it
    add("Host", senders.empty() || !keeps_host(url_) ? url_.authority() : std::string(senders));
  }

  void content_length() {
    http::append_content_length(out_, request_.body.size());
    length_written_ = true;
  }

  // Replaced or removed by the destination's rules, or named by the sender's Connection.
  bool dropped(std::string_view name, const std::vector<std::string_view>& options) const {
    const auto same = [name](std::string_view other) { return ascii_iequals(name, other); };
    if (std::any_of(options.begin(), options.end(), same)) return !same("host") && !same("content-length");
    if (same("host")) return false;
    const auto owned = [name](const std::string& other) { return looks_like(name, other); };
    const auto owned_field = [&](const auto& field) { return owned(field.first); };
    if (std::any_of(to_.remove_headers.begin(), to_.remove_headers.end(), owned)) return true;
    if ((!to_.authorization.empty() || to_.oauth2 != nullptr) && same("authorization")) return true;
    return std::any_of(to_.set_headers.begin(), to_.set_headers.end(), owned_field) ||
           std::any_of(to_.auth_headers.begin(), to_.auth_headers.end(), owned_field);
  }

  void pass(const http::Field& field) {
    switch (classify(field.name)) {
      case Known::host:
        if (set_by_rule("host")) return;
        return add(field.name, keeps_host(url_) && !field.value.empty() ? field.value : std::string_view(authority()));
      case Known::hop:
      case Known::expect:
      case Known::forwarded:
      case Known::webhook_attempt: return;
      case Known::identity:
        if (!request_.vouched) return;
        break;
      case Known::length:
        // The body is sent whole, so its length is known, whatever framing it came in.
        if (has_body_ && !length_written_) content_length();
        return;
      case Known::webhook_id: has_webhook_id_ = true; break;
      case Known::traceparent: has_traceparent_ = true; break;
      case Known::other: break;
    }
    add(field.name, field.value);
  }

  bool set_by_rule(std::string_view name) const { return has_name(to_.set_headers, name) || has_name(to_.auth_headers, name); }

  const std::string& authority() {
    if (authority_.empty()) authority_ = url_.authority();
    return authority_;
  }

  void own_fields() {
    for (const auto& [name, value] : to_.set_headers) add_valid(name, value);
    if (!to_.authorization.empty()) add_valid("Authorization", to_.authorization);
    if (!request_.authorization.empty()) add("Authorization", request_.authorization);
    for (const auto& [name, value] : to_.auth_headers) add_valid(name, value);
  }

  void add_valid(std::string_view name, const FieldValue& field) {
    const std::string* const value = field.at(request_.now);
    if (value != nullptr) return add(name, *value);
    valid_ = false;
  }

  void added_fields() {
    if (!request_.client.empty()) {
      if (!set_by_rule("x-forwarded-for")) add("X-Forwarded-For", request_.client);
      if (!set_by_rule("x-forwarded-proto")) add("X-Forwarded-Proto", request_.client_tls ? "https" : "http");
    }
    if (request_.id.empty()) return;
    if (!has_webhook_id_ && !set_by_rule("webhook-id")) {
      std::array<char, MessageId::kTextLength> text;
      request_.id.write_text(text.data());
      add("webhook-id", {text.data(), text.size()});
    }
    std::array<char, 10> digits;
    if (!set_by_rule("webhook-attempt")) add("webhook-attempt", decimal(request_.attempt, digits));
    if (!has_traceparent_ && !set_by_rule("traceparent")) traceparent();
  }

  static std::string_view decimal(uint32_t value, std::array<char, 10>& room) {
    size_t at = room.size();
    do {
      room[--at] = static_cast<char>('0' + value % 10);
      value /= 10;
    } while (value != 0);
    return {room.data() + at, room.size() - at};
  }

  // W3C Trace Context §3.2: the message id is the trace, and every attempt is a span of its own. Neither is all zeros.
  void traceparent() {
    static constexpr char kHex[] = "0123456789abcdef";
    std::array<char, 55> text;
    char* at = text.data();
    const auto put = [&at](uint8_t byte) {
      *at++ = kHex[byte >> 4];
      *at++ = kHex[byte & 15];
    };
    put(0);
    *at++ = '-';
    for (const uint8_t byte : request_.id.bytes) put(byte);
    *at++ = '-';
    for (size_t i = 8; i < 16; ++i) {
      const uint32_t mixed = i < 12 ? 0U : request_.attempt >> (8 * (15 - i));
      put(static_cast<uint8_t>(request_.id.bytes[i] ^ mixed));  // byte 8 holds the UUID variant, so the span is never zero
    }
    *at++ = '-';
    put(1);
    add("traceparent", {text.data(), text.size()});
  }

  std::string& out_;
  const Destination& to_;
  const http::Url& url_;
  const Outbound& request_;
  const bool has_body_;
  std::string authority_;
  bool sound_ = true;
  bool valid_ = true;  // every credential has a value
  bool plain_ = true;  // nothing of the sender's but hop-by-hop fields is left out
  bool length_written_ = false, has_webhook_id_ = false, has_traceparent_ = false;
};

}  // namespace

bool claims_identity(std::string_view name) {
  constexpr std::string_view kFamily = "x-forwarded-";
  return looks_like(name, "forwarded") || looks_like(name, "x-real-ip") || looks_like(name.substr(0, kFamily.size()), kFamily);
}

Result<void> append_head(std::string& out, const Destination& to, const http::Url& url, const Outbound& request) {
  const size_t start = out.size();
  const Composer::State state = Composer(out, to, url, request).compose();
  Result<void> made;
  if (state == Composer::State::broken) {
    made = Error{ErrorKind::refused, "a header or the path of the request carries a line break or another control character"};
  } else if (state == Composer::State::no_value) {
    made = Error{ErrorKind::unavailable, "a credential has no value that is valid now"};
  } else if (to.sign != nullptr) {
    made = sign_head(out, start, *to.sign, url, request);
  }
  http::end_head(out);
  return made;
}

std::string compose_head(const Destination& to, const http::Url& url, const Outbound& request) {
  std::string head;
  // `belay explain` shows what a rule made, also where the client would refuse to send it.
  [[maybe_unused]] const Result<void> sound = append_head(head, to, url, request);
  return head;
}

}  // namespace belay::upstream
