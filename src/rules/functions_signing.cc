// What senders do to URLs, forms and texts before they sign them.
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <unordered_set>

#include "base/bytes.h"
#include "rules/functions.h"

namespace belay::rules {

namespace {

using Arguments = std::span<const Value>;
constexpr Kinds kString = bit(Kind::string), kList = bit(Kind::list);

bool pay(Frame& frame, std::string_view text) { return frame.charge(10 + text.size() / 4); }
// As for the digests of functions_coding.cc.
bool pay_digest(Frame& frame, std::string_view text) { return frame.charge(10 + text.size() / 16); }

// CRC-32 of zip and PNG (ISO 3309), which PayPal signs in a body's place.
Value crc32(Frame& frame, Arguments a, uint32_t offset) {
  static constexpr auto kTable = [] {
    std::array<uint32_t, 256> table{};
    for (uint32_t i = 0; i < table.size(); ++i) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value & 1U) != 0 ? 0xEDB88320U ^ (value >> 1) : value >> 1;
      table[i] = value;
    }
    return table;
  }();
  if (!pay_digest(frame, a[0].text())) return frame.over_budget(offset);
  uint32_t sum = 0xFFFFFFFFU;
  for (const char c : a[0].text()) sum = kTable[(sum ^ static_cast<uint8_t>(c)) & 0xFFU] ^ (sum >> 8);
  return Value::integer(sum ^ 0xFFFFFFFFU);
}

Value md5(Frame& frame, Arguments a, uint32_t offset) {
  if (!pay_digest(frame, a[0].text())) return frame.over_budget(offset);
  std::array<unsigned char, EVP_MAX_MD_SIZE> out;
  unsigned size = 0;
  if (EVP_Digest(a[0].text().data(), a[0].text().size(), out.data(), &size, EVP_md5(), nullptr) != 1)
    return frame.fail(Fault::invalid, "the digest is not available", offset);
  const Value kept = frame.keep_string({reinterpret_cast<const char*>(out.data()), size}, offset);
  return kept.is_error() ? kept : Value::bytes(kept.text());
}

// Every character beyond ASCII as \uXXXX, as JSON writers that keep to ASCII do.
Value escape_unicode(Frame& frame, Arguments a, uint32_t offset) {
  const std::string_view text = a[0].text();
  if (!pay(frame, text)) return frame.over_budget(offset);
  if (!is_utf8(text)) return frame.fail(Fault::invalid, "the text is not UTF-8", offset);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  const auto put = [&out](uint32_t unit) {
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) out += kHex[(unit >> shift) & 15U];
  };
  for (size_t at = 0; at < text.size();) {
    const auto lead = static_cast<uint8_t>(text[at]);
    if (lead < 0x80) {
      out += text[at++];
      continue;
    }
    const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    uint32_t point = lead & (0xFFU >> (length + 1));
    for (size_t i = 1; i < length; ++i) point = point << 6 | (static_cast<uint8_t>(text[at + i]) & 0x3FU);
    at += length;
    if (point >= 0x10000) put(0xD7C0U + (point >> 10));
    put(point >= 0x10000 ? 0xDC00U + (point & 0x3FFU) : point);
  }
  return frame.keep_string(out, offset);
}

Value percent(Frame& frame, std::string_view text, std::string_view kept, uint32_t offset) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  if (!pay(frame, text)) return frame.over_budget(offset);
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (plain || kept.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += '%';
      out += kHex[static_cast<uint8_t>(c) >> 4];
      out += kHex[static_cast<uint8_t>(c) & 15U];
    }
  }
  return frame.keep_string(out, offset);
}

// As JavaScript's encodeURI and encodeURIComponent (ECMA-262 §19.2.6).
Value encode_uri(Frame& frame, Arguments a, uint32_t offset) {
  return percent(frame, a[0].text(), "-_.!~*'();/?:@&=+$,#", offset);
}
Value encode_uri_component(Frame& frame, Arguments a, uint32_t offset) {
  return percent(frame, a[0].text(), "-_.!~*'()", offset);
}

// Where the port of "https://host:8443/path" stands, with its colon; empty where there is none.
struct Port {
  size_t at = 0, end = 0;
};
Port port_of(std::string_view url) {
  const size_t scheme = url.find("://");
  const size_t start = scheme == std::string_view::npos ? 0 : scheme + 3;
  const size_t end = std::min(url.find_first_of("/?#", start), url.size());
  const size_t colon = url.substr(0, end).rfind(':');
  const size_t bracket = url.substr(0, end).rfind(']');
  const bool has = colon != std::string_view::npos && colon >= start && (bracket == std::string_view::npos || colon > bracket);
  return {has ? colon : end, end};
}

Value without_port(Frame& frame, Arguments a, uint32_t offset) {
  const std::string_view url = a[0].text();
  const Port port = port_of(url);
  return frame.keep_string(std::string(url.substr(0, port.at)) + std::string(url.substr(port.end)), offset);
}

Value with_port(Frame& frame, Arguments a, uint32_t offset) {
  const std::string_view url = a[0].text();
  const Port port = port_of(url);
  if (port.at != port.end) return a[0];
  return frame.keep_string(std::string(url.substr(0, port.at)) + (url.starts_with("https:") ? ":443" : ":80") +
                               std::string(url.substr(port.end)),
                           offset);
}

Value without_query(Frame&, Arguments a, uint32_t) {
  const std::string_view url = a[0].text();
  return Value::string(url.substr(0, url.find('?')));
}

// The first of every text in a list of texts.
Value unique(Frame& frame, Arguments a, uint32_t offset) {
  const size_t size = size_of(a[0]);
  if (!frame.charge(10 + size * 4)) return frame.over_budget(offset);
  std::unordered_set<std::string_view> seen;
  auto* kept = frame.arena.array<Value>(size);
  if (kept == nullptr) return frame.over_budget(offset);
  size_t count = 0;
  Value index, item;
  Cursor cursor(a[0], frame.arena);
  while (cursor.next(index, item)) {
    const Value text = item.plain(frame.arena);
    if (text.is_error()) return text;
    if (text.kind() != Kind::string) return frame.fail(Fault::no_such_overload, "unique(list) takes a list of texts", offset);
    if (seen.insert(text.text()).second) kept[count++] = text;
  }
  return Value::list({kept, count});
}

constexpr Function kFunctions[] = {
    {"crc32", Style::global, 1, 1, {kText}, bit(Kind::integer), crc32},
    {"md5", Style::global, 1, 1, {kText}, bit(Kind::bytes), md5},
    {"escape_unicode", Style::global, 1, 1, {kText}, kString, escape_unicode},
    {"encode_uri", Style::global, 1, 1, {kText}, kString, encode_uri},
    {"encode_uri_component", Style::global, 1, 1, {kText}, kString, encode_uri_component},
    {"with_port", Style::global, 1, 1, {kString}, kString, with_port},
    {"without_port", Style::global, 1, 1, {kString}, kString, without_port},
    {"without_query", Style::global, 1, 1, {kString}, kString, without_query},
    {"unique", Style::global, 1, 1, {kList}, kList, unique},
};

}  // namespace

std::span<const Function> signing_functions() { return kFunctions; }

}  // namespace belay::rules
