#include <re2/re2.h>

#include <cstring>

#include "base/bytes.h"
#include "rules/functions.h"
#include "rules/utf8.h"

namespace belay::rules {

namespace {

using Arguments = std::span<const Value>;
constexpr Kinds kString = bit(Kind::string), kInt = bit(Kind::integer), kBool = bit(Kind::boolean);
constexpr size_t kMaxPattern = 4096;                // bytes of a regular expression that comes from data
constexpr int64_t kPatternMemory = int64_t{1} << 20;  // of its compiled form

Value size(Frame& frame, Arguments a, uint32_t offset) {
  switch (a[0].kind()) {
    case Kind::string:
      if (!frame.charge(a[0].text().size() / 16)) return frame.over_budget(offset);
      return Value::integer(static_cast<int64_t>(character_count(a[0].text())));
    case Kind::bytes: return Value::integer(static_cast<int64_t>(a[0].text().size()));
    default: return Value::integer(static_cast<int64_t>(size_of(a[0])));
  }
}

bool scan(Frame& frame, Arguments a) { return frame.charge((a[0].text().size() + a[1].text().size()) / 16); }

Value starts_with(Frame&, Arguments a, uint32_t) { return Value::boolean(a[0].text().starts_with(a[1].text())); }
Value ends_with(Frame&, Arguments a, uint32_t) { return Value::boolean(a[0].text().ends_with(a[1].text())); }

Value contains(Frame& frame, Arguments a, uint32_t offset) {
  if (!scan(frame, a)) return frame.over_budget(offset);
  const std::string_view needle = a[1].text();
  return Value::boolean(needle.empty() || memmem(a[0].text().data(), a[0].text().size(), needle.data(), needle.size()) != nullptr);
}

Value matches(Frame& frame, Arguments a, uint32_t offset) {
  const std::string_view pattern = a[1].text();
  if (pattern.size() > kMaxPattern) return frame.fail(Fault::invalid, "regular expression longer than 4096 bytes", offset);
  if (!frame.charge(1000 + pattern.size() * 10 + a[0].text().size() / 8)) return frame.over_budget(offset);
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kPatternMemory);
  const RE2 compiled(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!compiled.ok()) return frame.fail(Fault::invalid, "regular expression: " + compiled.error(), offset);
  return Value::boolean(RE2::PartialMatch(re2::StringPiece(a[0].text().data(), a[0].text().size()), compiled));
}

template <char (*Change)(char)>
Value change_case(Frame& frame, Arguments a, uint32_t offset) {
  const std::string_view text = a[0].text();
  char* out = frame.text(text.size());
  if (out == nullptr) return frame.out_of_memory(offset);
  std::transform(text.begin(), text.end(), out, Change);
  return Value::string({out, text.size()});
}

// White space as Unicode has it (White_Space=yes): bytes of the character that begins or ends the text, 0 for another one.
size_t space_at_front(std::string_view text) {
  if (text.empty()) return 0;
  const char c = text.front();
  if (c == ' ' || (c >= '\t' && c <= '\r')) return 1;
  for (const std::string_view space : {"\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006",
                                       "\u2007", "\u2008", "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"}) {
    if (text.starts_with(space)) return space.size();
  }
  return 0;
}

size_t space_at_back(std::string_view text) {
  for (size_t length = 1; length <= 3 && length <= text.size(); ++length) {
    if (space_at_front(text.substr(text.size() - length)) == length) return length;
  }
  return 0;
}

Value trim(Frame& frame, Arguments a, uint32_t offset) {
  std::string_view text = a[0].text();
  if (!frame.charge(text.size() / 16)) return frame.over_budget(offset);
  while (const size_t length = space_at_front(text)) text.remove_prefix(length);
  while (const size_t length = space_at_back(text)) text.remove_suffix(length);
  return Value::string(text);
}

int64_t limit_of(Arguments a, size_t index) { return a.size() > index ? a[index].as_integer() : -1; }

// Pieces of `text` between `separator`, at most `limit` of them (-1: all); an empty separator splits into characters.
template <typename Take>
bool for_pieces(std::string_view text, std::string_view separator, int64_t limit, Take take) {
  if (limit == 0) return true;
  int64_t pieces = 1;
  while (limit < 0 || pieces < limit) {
    size_t length = 0, skip = separator.size();
    if (separator.empty()) {
      if (text.empty()) return true;
      length = character_length(text);
      if (length == text.size()) break;
    } else {
      length = text.find(separator);
      if (length == std::string_view::npos) break;
    }
    if (!take(text.substr(0, length))) return false;
    text.remove_prefix(length + skip);
    ++pieces;
  }
  return take(text);
}

Value split(Frame& frame, Arguments a, uint32_t offset) {
  if (!scan(frame, a)) return frame.over_budget(offset);
  std::vector<Value> pieces;
  const bool fits = for_pieces(a[0].text(), a[1].text(), limit_of(a, 2), [&](std::string_view piece) {
    pieces.push_back(Value::string(piece));
    return frame.charge(1);
  });
  if (!fits) return frame.over_budget(offset);
  Value* out = frame.values(pieces.size());
  if (out == nullptr) return frame.out_of_memory(offset);
  std::copy(pieces.begin(), pieces.end(), out);
  return Value::list({out, pieces.size()});
}

Value replace(Frame& frame, Arguments a, uint32_t offset) {
  const std::string_view text = a[0].text(), from = a[1].text(), to = a[2].text();
  int64_t limit = limit_of(a, 3);
  if (limit == 0) return a[0];
  if (!scan(frame, a)) return frame.over_budget(offset);
  std::string out;
  bool fits = true;
  const auto put = [&](std::string_view piece) {
    fits = fits && frame.charge(1 + piece.size() / 16) && out.size() + piece.size() <= frame.arena.limit();
    if (fits) out += piece;
    return fits;
  };
  if (from.empty()) {  // between all characters, as in Go
    std::string_view rest = text;
    for (; limit != 0; --limit) {
      if (!put(to) || rest.empty()) break;
      const size_t length = character_length(rest);
      if (!put(rest.substr(0, length))) break;
      rest.remove_prefix(length);
    }
    put(rest);
  } else {
    bool first = true;
    for_pieces(text, from, limit < 0 ? -1 : limit + 1, [&](std::string_view piece) {
      if (!first && !put(to)) return false;
      first = false;
      return put(piece);
    });
  }
  return fits ? frame.keep_string(out, offset) : frame.over_budget(offset);
}

Value bad_index(Frame& frame, int64_t index, uint32_t offset) {
  return frame.fail(Fault::invalid, "index out of range: " + std::to_string(index), offset);
}

Value substring(Frame& frame, Arguments a, uint32_t offset) {
  const std::string_view text = a[0].text();
  if (!frame.charge(text.size() / 16)) return frame.over_budget(offset);
  const int64_t from = a[1].as_integer();
  const size_t begin = from < 0 ? std::string_view::npos : byte_offset(text, static_cast<size_t>(from));
  if (begin == std::string_view::npos) return bad_index(frame, from, offset);
  if (a.size() < 3) return Value::string(text.substr(begin));
  const int64_t to = a[2].as_integer();
  const size_t end = to < 0 ? std::string_view::npos : byte_offset(text, static_cast<size_t>(to));
  if (end == std::string_view::npos) return bad_index(frame, to, offset);
  if (to < from) return frame.fail(Fault::invalid, "invalid substring range: the end is before the beginning", offset);
  return Value::string(text.substr(begin, end - begin));
}

Value char_at(Frame& frame, Arguments a, uint32_t offset) {
  const std::string_view text = a[0].text();
  if (!frame.charge(text.size() / 16)) return frame.over_budget(offset);
  const int64_t index = a[1].as_integer();
  const size_t at = index < 0 ? std::string_view::npos : byte_offset(text, static_cast<size_t>(index));
  if (at == std::string_view::npos) return bad_index(frame, index, offset);
  return Value::string(at == text.size() ? std::string_view() : text.substr(at, character_length(text.substr(at))));
}

Value index_of(Frame& frame, Arguments a, uint32_t offset) {
  const std::string_view text = a[0].text();
  if (!scan(frame, a)) return frame.over_budget(offset);
  const int64_t from = a.size() > 2 ? a[2].as_integer() : 0;
  const size_t begin = from < 0 ? std::string_view::npos : byte_offset(text, static_cast<size_t>(from));
  if (begin == std::string_view::npos) return bad_index(frame, from, offset);
  const size_t found = text.find(a[1].text(), begin);
  return Value::integer(found == std::string_view::npos ? -1 : static_cast<int64_t>(character_count(text.substr(0, found))));
}

Value last_index_of(Frame& frame, Arguments a, uint32_t offset) {
  const std::string_view text = a[0].text();
  if (!scan(frame, a)) return frame.over_budget(offset);
  size_t begin = text.size();
  if (a.size() > 2) {
    const int64_t from = a[2].as_integer();
    begin = from < 0 ? std::string_view::npos : byte_offset(text, static_cast<size_t>(from));
    if (begin == std::string_view::npos) return bad_index(frame, from, offset);
  }
  const size_t found = text.rfind(a[1].text(), begin);
  return Value::integer(found == std::string_view::npos ? -1 : static_cast<int64_t>(character_count(text.substr(0, found))));
}

Value reverse(Frame& frame, Arguments a, uint32_t offset) {
  std::string_view text = a[0].text();
  char* out = frame.text(text.size());
  if (out == nullptr) return frame.out_of_memory(offset);
  const std::string_view result(out, text.size());
  for (char* end = out + text.size(); !text.empty();) {
    const size_t length = character_length(text);
    end -= length;
    memcpy(end, text.data(), length);
    text.remove_prefix(length);
  }
  return Value::string(result);
}

// A CEL string literal of the text.
Value quote(Frame& frame, Arguments a, uint32_t offset) {
  static constexpr std::string_view kSpecial = "\a\b\f\n\r\t\v\\\"";
  static constexpr std::string_view kLetters = "abfnrtv\\\"";
  std::string out = "\"";
  for (std::string_view rest = a[0].text(); !rest.empty();) {
    const size_t length = character_length(rest);
    if (const size_t special = kSpecial.find(rest.front()); special != std::string_view::npos) {
      out.push_back('\\');
      out.push_back(kLetters[special]);
    } else if (length == 1 && static_cast<uint8_t>(rest.front()) >= 0x80) {
      out += "\uFFFD";
    } else {
      out += rest.substr(0, length);
    }
    rest.remove_prefix(length);
  }
  out.push_back('"');
  return frame.keep_string(out, offset);
}

constexpr Function kFunctions[] = {
    {"size", Style::both, 1, 1, {kText | bit(Kind::list) | bit(Kind::map)}, kInt, size},
    {"startsWith", Style::method, 2, 2, {kString, kString}, kBool, starts_with},
    {"endsWith", Style::method, 2, 2, {kString, kString}, kBool, ends_with},
    {"contains", Style::method, 2, 2, {kString, kString}, kBool, contains},
    {"matches", Style::both, 2, 2, {kString, kString}, kBool, matches},
    {"lowerAscii", Style::method, 1, 1, {kString}, kString, change_case<ascii_lower>},
    {"upperAscii", Style::method, 1, 1, {kString}, kString, change_case<ascii_upper>},
    {"lower", Style::global, 1, 1, {kString}, kString, change_case<ascii_lower>},
    {"upper", Style::global, 1, 1, {kString}, kString, change_case<ascii_upper>},
    {"trim", Style::method, 1, 1, {kString}, kString, trim},
    {"split", Style::method, 2, 3, {kString, kString, kInt}, bit(Kind::list), split},
    {"replace", Style::method, 3, 4, {kString, kString, kString, kInt}, kString, replace},
    {"substring", Style::method, 2, 3, {kString, kInt, kInt}, kString, substring},
    {"charAt", Style::method, 2, 2, {kString, kInt}, kString, char_at},
    {"indexOf", Style::method, 2, 3, {kString, kString, kInt}, kInt, index_of},
    {"lastIndexOf", Style::method, 2, 3, {kString, kString, kInt}, kInt, last_index_of},
    {"reverse", Style::method, 1, 1, {kString}, kString, reverse},
    {"strings.quote", Style::global, 1, 1, {kString}, kString, quote},
};

}  // namespace

std::span<const Function> text_functions() { return kFunctions; }

}  // namespace belay::rules
