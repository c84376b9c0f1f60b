#include "base/bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace belay {

namespace {

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase64Url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<int8_t, 256> inverse(std::string_view alphabet) {
  std::array<int8_t, 256> table{};
  for (auto& entry : table) entry = -1;
  for (size_t i = 0; i < alphabet.size(); ++i) table[static_cast<uint8_t>(alphabet[i])] = static_cast<int8_t>(i);
  return table;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string encode64(std::string_view raw, std::string_view alphabet, bool pad) {
  std::string out;
  out.reserve((raw.size() + 2) / 3 * 4);
  for (size_t i = 0; i < raw.size(); i += 3) {
    const size_t have = raw.size() - i < 3 ? raw.size() - i : 3;
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) group = (group << 8) | (k < have ? static_cast<uint8_t>(raw[i + k]) : 0U);
    for (size_t k = 0; k <= have; ++k) out.push_back(alphabet[(group >> (18 - 6 * k)) & 63]);
    if (pad) out.append(3 - have, '=');
  }
  return out;
}

std::optional<std::string> decode64(std::string_view text, const std::array<int8_t, 256>& table) {
  size_t length = text.size();
  while (length > 0 && text[length - 1] == '=') --length;
  const size_t padding = text.size() - length;
  if (padding > 2 || (padding > 0 && text.size() % 4 != 0) || length % 4 == 1) return std::nullopt;
  std::string out;
  out.reserve(length * 3 / 4);
  uint32_t group = 0;
  int bits = 0;
  for (size_t i = 0; i < length; ++i) {
    const int value = table[static_cast<uint8_t>(text[i])];
    if (value < 0) return std::nullopt;
    group = (group << 6) | static_cast<uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out.push_back(static_cast<char>(group >> bits));
      group &= (1U << bits) - 1;
    }
  }
  if (group != 0) return std::nullopt;  // spare bits set: two texts for one value
  return out;
}

// Length of the UTF-8 sequence at text[i], 0 when it is not well formed (RFC 3629 §4).
size_t utf8_length(std::string_view text, size_t i) {
  const auto byte = [&](size_t k) { return static_cast<uint8_t>(text[i + k]); };
  const auto tail = [&](size_t k) { return i + k < text.size() && (byte(k) & 0xC0) == 0x80; };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (!tail(1) || !tail(2)) return 0;
    if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F)) return 0;
    return 3;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    if ((lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) > 0x8F)) return 0;
    return 4;
  }
  return 0;
}

}  // namespace

std::string hex_encode(std::string_view raw) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(raw.size() * 2);
  for (const char c : raw) {
    out.push_back(kDigits[static_cast<uint8_t>(c) >> 4]);
    out.push_back(kDigits[static_cast<uint8_t>(c) & 15]);
  }
  return out;
}

std::optional<std::string> hex_decode(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]);
    const int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<char>((high << 4) | low));
  }
  return out;
}

std::string base64_encode(std::string_view raw) { return encode64(raw, kBase64, true); }
std::string base64url_encode(std::string_view raw) { return encode64(raw, kBase64Url, false); }

std::optional<std::string> base64_decode(std::string_view text) {
  static constexpr auto kTable = inverse(kBase64);
  return decode64(text, kTable);
}

std::optional<std::string> base64url_decode(std::string_view text) {
  static constexpr auto kTable = inverse(kBase64Url);
  return decode64(text, kTable);
}

bool ascii_iequals(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (ascii_lower(a[i]) != ascii_lower(b[i])) return false;
  }
  return true;
}

std::string ascii_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = ascii_lower(c);
  return out;
}

std::string ascii_upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = ascii_upper(c);
  return out;
}

std::string_view trim_ows(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::optional<uint64_t> parse_u64(std::string_view text) {
  if (text.empty()) return std::nullopt;
  uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    if (__builtin_mul_overflow(value, uint64_t{10}, &value)) return std::nullopt;
    if (__builtin_add_overflow(value, static_cast<uint64_t>(c - '0'), &value)) return std::nullopt;
  }
  return value;
}

bool constant_time_equals(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  volatile uint8_t difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference = difference | static_cast<uint8_t>(a[i] ^ b[i]);
  return difference == 0;
}

std::string printable(std::string_view text, size_t max) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (out.size() >= max) {
      out += "…";
      break;
    }
    const auto byte = static_cast<uint8_t>(text[i]);
    if (byte < 0x20 || byte == 0x7F || byte >= 0x80) {
      out += "\\x";
      out.push_back(kDigits[byte >> 4]);
      out.push_back(kDigits[byte & 15]);
    } else {
      if (byte == '"' || byte == '\\') out.push_back('\\');
      out.push_back(static_cast<char>(byte));
    }
  }
  return out;
}

bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const size_t length = utf8_length(text, i);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

namespace {

constexpr bool is_escaped(char c) { return c == '"' || c == '\\'; }
constexpr bool is_plain(char c) { return c >= 0x20 && c < 0x7F && !is_escaped(c); }

// Escaped and plain characters from `i` on, as far as they go or a short way: a sender may write megabytes of quotes. Room for the
// worst case is made once and cut back. Returns where it stopped.
size_t append_escaped(std::string& out, std::string_view text, size_t i) {
  const size_t end = std::min(text.size(), i + 256);
  const size_t begin = out.size();
  out.resize(begin + 2 * (end - i));
  char* to = out.data() + begin;
  for (; i < end; ++i) {
    if (is_escaped(text[i])) {
      *to++ = '\\';
    } else if (!is_plain(text[i])) {
      break;
    }
    *to++ = text[i];
  }
  out.resize(static_cast<size_t>(to - out.data()));
  return i;
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  out.reserve(out.size() + text.size() + 2);  // a string grows at least twofold
  out.push_back('"');
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && is_plain(text[end])) ++end;
    if (end > i) {
      out.append(text, i, end - i);
      i = end;
      continue;
    }
    const auto byte = static_cast<uint8_t>(text[i]);
    if (is_escaped(text[i])) {
      i = append_escaped(out, text, i);
    } else if (byte < 0x20 || byte == 0x7F) {
      out += "\\u00";
      out.push_back(kDigits[byte >> 4]);
      out.push_back(kDigits[byte & 15]);
      ++i;
    } else if (const size_t length = utf8_length(text, i); length == 2 && byte == 0xC2 && static_cast<uint8_t>(text[i + 1]) < 0xA0) {
      // U+0080 to U+009F: to a terminal that shows the line, some of them begin a command as ESC does.
      const auto low = static_cast<uint8_t>(text[i + 1]);
      out += "\\u00";
      out.push_back(kDigits[low >> 4]);
      out.push_back(kDigits[low & 15]);
      i += 2;
    } else if (length > 0) {
      out.append(text, i, length);
      i += length;
    } else {
      out += "\xEF\xBF\xBD";
      ++i;
    }
  }
  out.push_back('"');
}

Result<std::string> read_file(const std::string& path, size_t max) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno_error("cannot read " + path);
  std::string content;
  std::array<char, 65536> chunk;
  for (;;) {
    const ssize_t got = read(fd, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      Error error = errno_error("cannot read " + path);
      close(fd);
      return error;
    }
    if (got == 0) break;
    content.append(chunk.data(), static_cast<size_t>(got));
    if (content.size() > max) {
      close(fd);
      return Error{ErrorKind::full, path + " is larger than " + std::to_string(max) + " bytes"};
    }
  }
  close(fd);
  return content;
}

}  // namespace belay
