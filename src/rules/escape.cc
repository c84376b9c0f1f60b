#include "rules/escape.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "rules/utf8.h"

namespace belay::rules {

namespace {

constexpr std::array<bool, 256> plain_bytes(std::string_view others) {
  std::array<bool, 256> set{};
  for (unsigned c = '0'; c <= '9'; ++c) set[c] = true;
  for (unsigned c = 'a'; c <= 'z'; ++c) set[c] = set[c - 32] = true;
  for (const char c : others) set[static_cast<uint8_t>(c)] = true;
  return set;
}
constexpr auto kForm = plain_bytes("-._*"), kUrl = plain_bytes("-._~");

void append_percent(std::string& out, std::string_view text, const std::array<bool, 256>& plain, bool plus) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (plain[byte]) {
      out.push_back(c);
    } else if (plus && c == ' ') {
      out.push_back('+');
    } else {
      const char escape[] = {'%', kHex[byte >> 4], kHex[byte & 15]};
      out.append(escape, sizeof escape);
    }
  }
}

constexpr std::string_view kReplacement = "\uFFFD";

// The escape of an ASCII character; empty: it stands as it is.
std::string_view xml_escape(char c, XmlPlace place) {
  switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&apos;";
    case '\r': return "&#13;";
    case '\t': return place == XmlPlace::attribute ? "&#9;" : std::string_view();
    case '\n': return place == XmlPlace::attribute ? "&#10;" : std::string_view();
    default: return static_cast<uint8_t>(c) < 0x20 ? kReplacement : std::string_view();
  }
}

// The code point that begins `text`; 0xFFFFFFFF when its bytes are not UTF-8.
uint32_t code_point(std::string_view text, size_t& length) {
  length = character_length(text);
  const auto lead = static_cast<uint8_t>(text.front());
  if (length == 1) return lead < 0x80 ? lead : 0xFFFFFFFF;
  if (!is_utf8(text.substr(0, length))) return 0xFFFFFFFF;
  uint32_t code = lead & (0x7FU >> length);
  for (size_t i = 1; i < length; ++i) code = code << 6 | (static_cast<uint8_t>(text[i]) & 0x3FU);
  return code;
}

struct Range {
  uint32_t first, last;
};
// NameStartChar and what NameChar adds, XML 1.0 §2.3.
constexpr Range kNameStart[] = {{':', ':'},         {'A', 'Z'},         {'_', '_'},         {'a', 'z'},
                                {0xC0, 0xD6},       {0xD8, 0xF6},       {0xF8, 0x2FF},      {0x370, 0x37D},
                                {0x37F, 0x1FFF},    {0x200C, 0x200D},   {0x2070, 0x218F},   {0x2C00, 0x2FEF},
                                {0x3001, 0xD7FF},   {0xF900, 0xFDCF},   {0xFDF0, 0xFFFD},   {0x10000, 0xEFFFF}};
constexpr Range kNameMore[] = {{'-', '.'}, {'0', '9'}, {0xB7, 0xB7}, {0x300, 0x36F}, {0x203F, 0x2040}};

bool within(uint32_t code, const Range* begin, const Range* end) {
  return std::any_of(begin, end, [code](const Range& range) { return code >= range.first && code <= range.last; });
}

}  // namespace

void append_form_text(std::string& out, std::string_view text) { append_percent(out, text, kForm, true); }
void append_url_text(std::string& out, std::string_view text) { append_percent(out, text, kUrl, false); }

void append_xml_text(std::string& out, std::string_view text, XmlPlace place) {
  while (!text.empty()) {
    size_t length = 1;
    std::string_view instead;
    if (static_cast<uint8_t>(text.front()) < 0x80) {
      instead = xml_escape(text.front(), place);
    } else {
      const uint32_t code = code_point(text, length);
      if (code == 0xFFFFFFFF || code == 0xFFFE || code == 0xFFFF) instead = kReplacement;
    }
    out += instead.empty() ? text.substr(0, length) : instead;
    text.remove_prefix(length);
  }
}

bool is_xml_name(std::string_view name) {
  if (name.empty()) return false;
  for (bool start = true; !name.empty(); start = false) {
    size_t length = 0;
    const uint32_t code = code_point(name, length);
    const bool good = within(code, std::begin(kNameStart), std::end(kNameStart)) ||
                      (!start && within(code, std::begin(kNameMore), std::end(kNameMore)));
    if (!good) return false;
    name.remove_prefix(length);
  }
  return true;
}

}  // namespace belay::rules
