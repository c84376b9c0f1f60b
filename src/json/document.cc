#include "json/document.h"

#include <cstring>

#include "base/check.h"
#include "json/hash.h"

namespace belay::json {

std::string_view to_string(Type type) {
  switch (type) {
    case Type::null: return "null";
    case Type::boolean: return "boolean";
    case Type::number: return "number";
    case Type::string: return "string";
    case Type::array: return "array";
    case Type::object: return "object";
  }
  BELAY_CHECK_NOTE(false, "unknown json::Type");
}

Key::Key(std::string_view text) : name(text), hash(hash_name(text)) {}

Document::~Document() = default;

std::string_view Document::string(Ref string, std::string& scratch) const {
  const std::string_view bytes = inner(string);
  if (!has_escapes(string)) return bytes;
  scratch.resize(bytes.size());
  scratch.resize(unescape(bytes, scratch.data()));
  return scratch;
}

bool Document::name_equals(Ref name_ref, std::string_view name) const {
  if (!has_escapes(name_ref)) return inner(name_ref) == name;
  std::string scratch;
  return string(name_ref, scratch) == name;
}

Ref Document::find(Ref object, std::string_view name) const { return find(object, name, hash_name(name)); }

Ref Document::find(Ref object, std::string_view name, uint64_t hash) const {
  if (type(object) != Type::object || slots_ == nullptr) return kNone;
  const uint32_t mark = name_mark(hash);
  for (uint32_t slot = slot_of(object, mark) & slot_mask_;; slot = (slot + 1) & slot_mask_) {
    const Ref candidate = slots_[slot];
    if (candidate == kNone) return kNone;
    const Entry& entry = entries_[candidate];
    if (entry.next == object && entry.info >> kCountShift == mark && name_equals(candidate, name)) return value_of(candidate);
  }
}

Ref Document::at(Ref array, uint32_t index) const {
  if (type(array) != Type::array || index >= size(array)) return kNone;
  Ref element = first(array);
  for (; index > 0; --index) element = next(array, element);
  return element;
}

Ref Document::find_path(std::string_view path) const {
  Ref at_value = root();
  while (!path.empty() && at_value != kNone) {
    if (path.front() == '[') {
      const size_t close = path.find(']');
      if (close == std::string_view::npos) return kNone;
      uint32_t index = 0;
      for (const char digit : path.substr(1, close - 1)) index = index * 10 + static_cast<uint32_t>(digit - '0');
      at_value = at(at_value, index);
      path.remove_prefix(close + 1);
    } else {
      if (path.front() == '.') path.remove_prefix(1);
      const size_t end = std::min(path.find_first_of(".["), path.size());
      at_value = find(at_value, path.substr(0, end));
      path.remove_prefix(end);
    }
  }
  return at_value;
}

size_t Document::footprint() const {
  const size_t slots = slots_ == nullptr ? 0 : (size_t{slot_mask_} + 1) * sizeof(Ref);
  return sizeof(*this) + (owned_ == nullptr ? 0 : owned_->capacity()) + entry_count_ * sizeof(Entry) + slots;
}

namespace {

uint32_t hex4(const char* digits) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = digits[i];
    const int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
    value = value << 4 | static_cast<uint32_t>(digit);
  }
  return value;
}

char* put_utf8(char* out, uint32_t code) {
  const auto put = [&out](uint32_t byte) { *out++ = static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
  return out;
}

char simple_escape(char letter) {
  switch (letter) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return letter;  // " \ /
  }
}

}  // namespace

size_t unescape(std::string_view inner, char* out) {
  const char* const begin = out;
  const char* in = inner.data();
  const char* const end = in + inner.size();
  while (in < end) {
    const void* found = memchr(in, '\\', static_cast<size_t>(end - in));
    const char* stop = found == nullptr ? end : static_cast<const char*>(found);
    memmove(out, in, static_cast<size_t>(stop - in));
    out += stop - in;
    if (stop == end) break;
    if (stop[1] != 'u') {
      *out++ = simple_escape(stop[1]);
      in = stop + 2;
      continue;
    }
    uint32_t code = hex4(stop + 2);
    in = stop + 6;
    if (code >= 0xD800 && code < 0xDC00) {  // parse() made sure that the second half follows
      code = 0x10000 + ((code - 0xD800) << 10) + (hex4(stop + 8) - 0xDC00);
      in = stop + 12;
    }
    out = put_utf8(out, code);
  }
  return static_cast<size_t>(out - begin);
}

}  // namespace belay::json
