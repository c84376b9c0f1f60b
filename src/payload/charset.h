// Text of another charset as UTF-8, by the C library's iconv. Only charsets of a fixed list are read: a name that a sender wrote
// never reaches iconv, whose names carry options and load code. Invalid, cut and unmapped sequences are errors, nothing is
// replaced. Pure; a Converter belongs to one thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace belay::payload {

struct Charset {
  std::string_view name;   // in lower case, as in "charset=…"
  const char* library_name;  // as iconv calls it; nullptr: UTF-8 itself
  bool ascii = true;       // bytes below 0x80 are ASCII, so a text of these alone is UTF-8 already
};

// Any case; nullptr when it is not on the list.
const Charset* find_charset(std::string_view name);
const Charset& utf8_charset();

struct ByteOrderMark {
  const Charset* charset = nullptr;  // nullptr: there is none
  size_t size = 0;
};
ByteOrderMark find_byte_order_mark(std::string_view text);

class Converter {
 public:
  explicit Converter(const Charset& charset);
  Converter(const Converter&) = delete;
  Converter& operator=(const Converter&) = delete;
  ~Converter();

  // Appends `text` as UTF-8; `out` stays within `max` bytes.
  Result<void> append(std::string_view text, std::string& out, size_t max);

 private:
  const Charset& charset_;
  void* handle_;  // iconv_t
};

bool is_ascii(std::string_view text);

}  // namespace belay::payload
