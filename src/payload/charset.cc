#include "payload/charset.h"

#include <iconv.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"

namespace belay::payload {

namespace {

// Names of the IANA registry that webhook senders use, with their usual aliases. Left out: UTF-7 and the ISO-2022 family, which
// hide ASCII in other bytes, and UTF-32.
constexpr Charset kCharsets[] = {
    {"utf-8", nullptr},
    {"utf8", nullptr},
    {"us-ascii", "ASCII"},
    {"ascii", "ASCII"},
    {"utf-16", "UTF-16", false},
    {"utf-16le", "UTF-16LE", false},
    {"utf-16be", "UTF-16BE", false},
    {"iso-8859-1", "ISO-8859-1"},
    {"latin1", "ISO-8859-1"},
    {"iso-8859-2", "ISO-8859-2"},
    {"iso-8859-3", "ISO-8859-3"},
    {"iso-8859-4", "ISO-8859-4"},
    {"iso-8859-5", "ISO-8859-5"},
    {"iso-8859-6", "ISO-8859-6"},
    {"iso-8859-7", "ISO-8859-7"},
    {"iso-8859-8", "ISO-8859-8"},
    {"iso-8859-9", "ISO-8859-9"},
    {"iso-8859-10", "ISO-8859-10"},
    {"iso-8859-13", "ISO-8859-13"},
    {"iso-8859-14", "ISO-8859-14"},
    {"iso-8859-15", "ISO-8859-15"},
    {"iso-8859-16", "ISO-8859-16"},
    {"windows-1250", "CP1250"},
    {"windows-1251", "CP1251"},
    {"windows-1252", "CP1252"},
    {"windows-1253", "CP1253"},
    {"windows-1254", "CP1254"},
    {"windows-1255", "CP1255"},
    {"windows-1256", "CP1256"},
    {"windows-1257", "CP1257"},
    {"windows-1258", "CP1258"},
    {"koi8-r", "KOI8-R"},
    {"koi8-u", "KOI8-U"},
    {"shift_jis", "CP932"},
    {"windows-31j", "CP932"},
    {"euc-jp", "EUC-JP"},
    {"euc-kr", "EUC-KR"},
    {"gb2312", "GBK"},
    {"gbk", "GBK"},
    {"gb18030", "GB18030"},
    {"big5", "BIG5"},
};

iconv_t no_handle() { return reinterpret_cast<iconv_t>(-1); }

}  // namespace

const Charset* find_charset(std::string_view name) {
  for (const Charset& charset : kCharsets) {
    if (ascii_iequals(charset.name, name)) return &charset;
  }
  return nullptr;
}

const Charset& utf8_charset() { return kCharsets[0]; }

ByteOrderMark find_byte_order_mark(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) return {&utf8_charset(), 3};
  if (text.starts_with("\xFF\xFE")) return {find_charset("utf-16le"), 2};
  if (text.starts_with("\xFE\xFF")) return {find_charset("utf-16be"), 2};
  return {};
}

bool is_ascii(std::string_view text) {
  uint64_t seen = 0;
  while (text.size() >= sizeof(seen)) {
    uint64_t word;
    memcpy(&word, text.data(), sizeof(word));
    seen |= word;
    text.remove_prefix(sizeof(word));
  }
  for (const char c : text) seen |= static_cast<uint8_t>(c);
  return (seen & 0x8080808080808080U) == 0;
}

Converter::Converter(const Charset& charset)
    : charset_(charset), handle_(charset.library_name == nullptr ? no_handle() : iconv_open("UTF-8", charset.library_name)) {}

Converter::~Converter() {
  if (handle_ != no_handle()) iconv_close(handle_);
}

Result<void> Converter::append(std::string_view text, std::string& out, size_t max) {
  const auto too_large = [max] { return Error{ErrorKind::full, "it is larger than " + std::to_string(max) + " bytes as UTF-8"}; };
  if (charset_.library_name == nullptr || (charset_.ascii && is_ascii(text))) {
    if (text.size() > max - std::min(max, out.size())) return too_large();
    if (charset_.library_name == nullptr && !is_utf8(text)) return invalid("it holds bytes that are not UTF-8");
    out.append(text);
    return {};
  }
  if (handle_ == no_handle()) {
    return Error{ErrorKind::unavailable, "this system's C library cannot read charset " + std::string(charset_.name)};
  }
  iconv(handle_, nullptr, nullptr, nullptr, nullptr);
  const char* const begin = text.data();
  char* in = const_cast<char*>(begin);
  size_t left = text.size();
  char piece[size_t{16} << 10];
  while (left > 0) {
    char* at = piece;
    size_t room = sizeof(piece);
    const bool stopped = iconv(handle_, &in, &left, &at, &room) == static_cast<size_t>(-1);
    const int reason = stopped ? errno : 0;
    const size_t made = sizeof(piece) - room;
    if (made > max - std::min(max, out.size())) return too_large();
    out.append(piece, made);
    if (stopped && reason != E2BIG) {
      return invalid("it holds bytes that are not " + std::string(charset_.name) + " (at byte " + std::to_string(in - begin) + ")");
    }
  }
  return {};
}

}  // namespace belay::payload
