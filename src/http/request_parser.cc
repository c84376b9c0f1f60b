#include "base/bytes.h"
#include "base/check.h"
#include "http/framing.h"
#include "http/head_scanner.h"
#include "http/parser.h"
#include "http/target.h"
#include "http/tokens.h"

namespace belay::http {

namespace {

// Method, two spaces and the version around the target. Methods are far shorter; a longer line is 414 as a whole.
constexpr size_t kLineBytesBesideTarget = 64;

}  // namespace

struct RequestParser::State {
  explicit State(const HeadLimits& given)
      : limits(given), scanner(given, given.target_bytes + kLineBytesBesideTarget, true) {}

  ParseState refuse(const Refusal& why) {
    refusal = why;
    return outcome = ParseState::refused;
  }
  ParseState finish(std::string_view head_bytes, RequestHead& head);
  bool check_host(std::string_view line, const FieldFacts& facts, RequestHead& head, Refusal& why) const;

  const HeadLimits limits;
  HeadScanner scanner;
  RequestLine line;
  ParseState outcome = ParseState::need_more;
  Refusal refusal;
};

RequestParser::RequestParser(const HeadLimits& limits) : state_(std::make_unique<State>(limits)) {}
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;

void RequestParser::reset() {
  state_->scanner.reset();
  state_->outcome = ParseState::need_more;
  state_->refusal = {};
}

const Refusal& RequestParser::refusal() const {
  return state_->refusal;
}

size_t RequestParser::head_bytes() const {
  return state_->outcome == ParseState::complete ? state_->scanner.end() : 0;
}

ParseState RequestParser::parse(std::string_view bytes, RequestHead& head) {
  State& state = *state_;
  BELAY_CHECK_NOTE(state.outcome != ParseState::complete, "reset() before the next message");
  if (state.outcome == ParseState::refused) return ParseState::refused;
  for (;;) {
    switch (state.scanner.next(bytes)) {
      case HeadScanner::Event::need_more: return ParseState::need_more;
      case HeadScanner::Event::refused: return state.refuse(state.scanner.refusal());
      case HeadScanner::Event::first_line: {
        // Checked before the fields arrive: whoever does not speak HTTP/1 is told at once.
        Refusal why;
        if (!read_request_line(state.scanner.first_line(bytes), state.limits, state.line, why))
          return state.refuse(why);
        break;
      }
      case HeadScanner::Event::end: return state.finish(bytes, head);
    }
  }
}

ParseState RequestParser::State::finish(std::string_view bytes, RequestHead& head) {
  Refusal why;
  head.fields.clear();
  if (!read_tokens(HeadKind::request, scanner.head(bytes), head.fields, why)) return refuse(why);
  if (head.fields.size() != scanner.field_lines()) return refuse({400, "fields and lines do not agree"});

  const std::string_view text = scanner.first_line(bytes);
  const FieldFacts facts = read_facts(head.fields);
  head.minor_version = line.minor_version;
  head.framing = Framing::none;
  if (!decide_framing(facts, line.minor_version, head.framing, head.content_length, why)) return refuse(why);
  if (!check_host(text, facts, head, why)) return refuse(why);
  if (facts.expect_other) return refuse({417, "Expect other than 100-continue"});
  // RFC 9110 §10.1.1: an HTTP/1.0 sender does not wait.
  head.expect_continue = facts.expect_continue && line.minor_version >= 1;
  head.keep_alive = decide_keep_alive(facts, line.minor_version);
  head.method = line.method.of(text);
  head.target = line.target.of(text);
  const size_t mark = head.target.find('?');
  head.path = head.target.substr(0, mark);
  head.query = mark == std::string_view::npos ? std::string_view{} : head.target.substr(mark + 1);
  return outcome = ParseState::complete;
}

// RFC 9112 §3.2: exactly one Host, HTTP/1.0 may leave it out; an absolute-form target must name the same one.
bool RequestParser::State::check_host(std::string_view text, const FieldFacts& facts, RequestHead& head,
                                      Refusal& why) const {
  const auto refused = [&why](const char* reason) {
    why = {400, reason};
    return false;
  };
  const std::string_view authority = line.authority.of(text);
  head.host = facts.hosts == 0 ? authority : facts.host;
  if (facts.hosts > 1) return refused("more than one Host");
  if (facts.hosts == 0) return line.minor_version == 0 || refused("Host is missing");
  if (!is_authority(facts.host)) return refused("Host is not a name or address with an optional port");
  if (!authority.empty() && !ascii_iequals(authority, facts.host)) return refused("Host and request target differ");
  return true;
}

}  // namespace belay::http
