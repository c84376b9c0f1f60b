#include "json/path.h"

#include "base/bytes.h"

namespace belay::json {

namespace {

class PathParser {
 public:
  explicit PathParser(std::string_view text) : text_(text) {}

  Result<std::vector<Step>> parse() {
    if (!is_utf8(text_)) return invalid("'" + printable(text_, 80) + "' is no path: it is not UTF-8");
    bool first = true;
    do {
      if (steps_.size() == kMaxPathSteps) return wrong("more than " + std::to_string(kMaxPathSteps) + " steps");
      if (!step(first)) return error_;
      steps_.back().end = at_;
      first = false;
    } while (at_ < text_.size());
    return std::move(steps_);
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  Error wrong(std::string what) {
    return invalid("'" + printable(text_, 80) + "' is no path: " + std::move(what) + " at byte " + std::to_string(at_));
  }
  bool fail(std::string what) {
    error_ = wrong(std::move(what));
    return false;
  }

  bool step(bool first) {
    if (peek() == '[') return bracket();
    if (!first) {
      if (peek() != '.') return fail("expected '.' or '['");
      ++at_;
    }
    if (peek() == '"' || peek() == '\'') return quoted();
    const size_t end = std::min(text_.find_first_of(".[]\"'", at_), text_.size());
    if (end == at_) return fail("expected a name");
    add_member(std::string(text_.substr(at_, end - at_)));
    at_ = end;
    return true;
  }

  bool bracket() {
    ++at_;
    if (peek() == '"' || peek() == '\'') {
      if (!quoted()) return false;
    } else if (peek() == '*') {
      ++at_;
      steps_.emplace_back().kind = Step::Kind::every;
    } else {
      const size_t end = std::min(text_.find(']', at_), text_.size());
      const auto index = parse_u64(text_.substr(at_, end - at_));
      if (!index || *index > kMaxIndex) return fail("expected a number up to 999999, '*' or a name in quotes");
      steps_.emplace_back().kind = Step::Kind::element;
      steps_.back().index = static_cast<uint32_t>(*index);
      at_ = end;
    }
    if (peek() != ']') return fail("expected ']'");
    ++at_;
    return true;
  }

  // A backslash takes the next character as it is.
  bool quoted() {
    const char quote = text_[at_++];
    std::string name;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] == '\\' && ++at_ == text_.size()) break;
      name.push_back(text_[at_++]);
    }
    if (at_ >= text_.size()) return fail("expected the closing quote");
    ++at_;
    add_member(name);
    return true;
  }

  void add_member(const std::string& name) { steps_.emplace_back().name = Key(name); }

  std::string_view text_;
  size_t at_ = 0;
  std::vector<Step> steps_;
  Error error_;
};

}  // namespace

Result<std::vector<Step>> parse_path(std::string_view text) { return PathParser(text).parse(); }

}  // namespace belay::json
