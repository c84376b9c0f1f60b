#include "signature/structured_fields.h"

#include <algorithm>
#include <charconv>

#include "base/bytes.h"

namespace belay::signature {

namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool done() const { return at_ == text_.size(); }
  size_t at() const { return at_; }
  std::string_view from(size_t start) const { return text_.substr(start, at_ - start); }
  bool take(char c) {
    if (done() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void skip(std::string_view bytes) {
    while (!done() && bytes.find(text_[at_]) != std::string_view::npos) ++at_;
  }

  std::string_view key() {
    const size_t start = at_;
    if (done() || !((text_[at_] >= 'a' && text_[at_] <= 'z') || text_[at_] == '*')) return {};
    while (!done() && is_key_byte(text_[at_])) ++at_;
    return from(start);
  }

  bool string(std::string& out) {
    if (!take('"')) return false;
    for (; !done(); ++at_) {
      const char c = text_[at_];
      if (c == '"') return take('"');
      if (c < ' ' || c > '~') return false;
      if (c == '\\' && (++at_ == text_.size() || (text_[at_] != '"' && text_[at_] != '\\'))) return false;
      out += text_[at_];
    }
    return false;
  }

  bool bytes(std::string& out) {
    if (!take(':')) return false;
    const size_t end = text_.find(':', at_);
    if (end == std::string_view::npos) return false;
    auto decoded = base64_decode(text_.substr(at_, end - at_));
    at_ = end + 1;
    if (decoded) out = std::move(*decoded);
    return decoded.has_value();
  }

  bool parameters(std::vector<Parameter>& out) {
    while (take(';')) {
      skip(" ");
      Parameter one{key(), {}, {}};
      if (one.name.empty() || out.size() == kMaxMembers) return false;
      if (take('=') && !bare(one)) return false;
      if (std::any_of(out.begin(), out.end(), [&](const Parameter& known) { return known.name == one.name; })) return false;
      out.push_back(std::move(one));
    }
    return true;
  }

 private:
  static bool is_key_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == '*';
  }

  // A string, integer, boolean or token.
  bool bare(Parameter& out) {
    if (done()) return false;
    if (text_[at_] == '"') return string(out.text);
    const size_t start = at_;
    while (!done() && std::string_view("; ,()").find(text_[at_]) == std::string_view::npos) ++at_;
    const std::string_view word = from(start);
    int64_t number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error == std::errc{} && end == word.data() + word.size()) out.number = number;
    out.text = word;
    return !word.empty();
  }

  std::string_view text_;
  size_t at_ = 0;
};

bool read_inner_list(Reader& reader, std::vector<ListItem>& out) {
  for (;;) {
    reader.skip(" ");
    if (reader.take(')')) return true;
    const size_t start = reader.at();
    ListItem item;
    if (out.size() == kMaxMembers || !reader.string(item.name) || !reader.parameters(item.parameters)) return false;
    item.raw = reader.from(start);
    out.push_back(std::move(item));
  }
}

}  // namespace

const Parameter* Member::parameter(std::string_view name) const {
  const auto found = std::find_if(parameters.begin(), parameters.end(), [&](const Parameter& one) { return one.name == name; });
  return found == parameters.end() ? nullptr : &*found;
}

std::optional<std::vector<Member>> parse_dictionary(std::string_view text) {
  std::vector<Member> members;
  Reader reader(text);
  do {
    reader.skip(" \t");
    Member member;
    member.key = reader.key();
    if (member.key.empty() || !reader.take('=') || members.size() == kMaxMembers) return std::nullopt;
    for (const Member& known : members) {
      if (known.key == member.key) return std::nullopt;
    }
    const size_t start = reader.at();
    if (reader.take('(')) {
      if (!read_inner_list(reader, member.items)) return std::nullopt;
    } else {
      member.bytes.emplace();
      if (!reader.bytes(*member.bytes)) return std::nullopt;
    }
    if (!reader.parameters(member.parameters)) return std::nullopt;
    member.raw = reader.from(start);
    members.push_back(std::move(member));
    reader.skip(" \t");
  } while (reader.take(','));
  if (!reader.done()) return std::nullopt;
  return members;
}

}  // namespace belay::signature
