#include "base/bytes.h"
#include "base/check.h"
#include "http/framing.h"
#include "http/head_scanner.h"
#include "http/parser.h"
#include "http/tokens.h"

namespace belay::http {

namespace {

constexpr size_t kMaxStatusLine = 1024;  // the reason phrase is free text; nobody needs more
constexpr size_t kStatusEnd = 12;        // "HTTP/1.1 200"

// "HTTP/1." DIGIT SP 3DIGIT [ SP reason ] (RFC 9112 §4). Many servers leave the last space out with the reason:
// harmless.
const char* read_status_line(std::string_view line, ResponseHead& head) {
  const auto digit = [&](size_t i) { return line[i] >= '0' && line[i] <= '9'; };
  if (line.size() < kStatusEnd || line.substr(0, 7) != "HTTP/1." || line[8] != ' ') return "not an HTTP/1 status line";
  if (line[7] != '0' && line[7] != '1') return "HTTP version is neither 1.0 nor 1.1";
  if (!digit(9) || !digit(10) || !digit(11)) return "status is not a number of three digits";
  if (line.size() > kStatusEnd && line[kStatusEnd] != ' ') return "status is not followed by a space";
  head.minor_version = line[7] - '0';
  head.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  if (head.status < 100 || head.status > 599) return "status is not between 100 and 599";
  head.reason = line.substr(line.size() > kStatusEnd ? kStatusEnd + 1 : kStatusEnd);
  return nullptr;
}

// Whether a body follows (RFC 9112 §6.3). nullptr or the reason for a refusal.
const char* decide_body(const FieldFacts& facts, std::string_view request_method, ResponseHead& head) {
  Refusal why;
  head.framing = Framing::close;
  if (!decide_framing(facts, head.minor_version, head.framing, head.content_length, why)) return why.reason;
  const bool never = head.status < 200 || head.status == 204;
  if (never && (head.framing == Framing::chunked || head.content_length > 0)) return "body announced where none may be";
  if (never || head.status == 304 || request_method == "HEAD") {
    head.framing = Framing::none;
    head.content_length = 0;
  }
  head.keep_alive = head.framing != Framing::close && decide_keep_alive(facts, head.minor_version);
  return nullptr;
}

}  // namespace

struct ResponseParser::State {
  explicit State(const HeadLimits& limits) : scanner(limits, kMaxStatusLine, false) {}

  ParseState refuse(const char* why) {
    reason = why;
    return outcome = ParseState::refused;
  }

  HeadScanner scanner;
  ParseState outcome = ParseState::need_more;
  const char* reason = "";
};

ResponseParser::ResponseParser(const HeadLimits& limits) : state_(std::make_unique<State>(limits)) {}
ResponseParser::~ResponseParser() = default;
ResponseParser::ResponseParser(ResponseParser&&) noexcept = default;

void ResponseParser::reset() {
  state_->scanner.reset();
  state_->outcome = ParseState::need_more;
  state_->reason = "";
}

const char* ResponseParser::reason() const {
  return state_->reason;
}

size_t ResponseParser::head_bytes() const {
  return state_->outcome == ParseState::complete ? state_->scanner.end() : 0;
}

ParseState ResponseParser::parse(std::string_view bytes, std::string_view request_method, ResponseHead& head) {
  State& state = *state_;
  BELAY_CHECK_NOTE(state.outcome != ParseState::complete, "reset() before the next message");
  if (state.outcome == ParseState::refused) return ParseState::refused;
  for (;;) {
    switch (state.scanner.next(bytes)) {
      case HeadScanner::Event::need_more: return ParseState::need_more;
      case HeadScanner::Event::refused: return state.refuse(state.scanner.refusal().reason);
      case HeadScanner::Event::first_line:
        if (const char* why = read_status_line(state.scanner.first_line(bytes), head)) return state.refuse(why);
        break;
      case HeadScanner::Event::end: {
        Refusal why;
        head.fields.clear();
        if (!read_tokens(HeadKind::response, state.scanner.head(bytes), head.fields, why))
          return state.refuse(why.reason);
        if (head.fields.size() != state.scanner.field_lines()) return state.refuse("fields and lines do not agree");
        // Again, because the buffer may have moved since the line was first seen.
        if (const char* bad = read_status_line(state.scanner.first_line(bytes), head)) return state.refuse(bad);
        if (const char* bad = decide_body(read_facts(head.fields), request_method, head)) return state.refuse(bad);
        return state.outcome = ParseState::complete;
      }
    }
  }
}

}  // namespace belay::http
