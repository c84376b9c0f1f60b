// One JSON text, checked once and addressed many times. parse() runs simdjson's vectorised first stage (UTF-8, strings,
// structure), then one pass of ours that checks the grammar (RFC 8259) and leaves a flat array of 16-byte entries and one hash
// table of member names: no tree, no copied string, no converted number. A value is a Ref; its raw text is what the sender
// wrote, byte for byte (big integers, 100.10, 1e2, escapes, spacing). Member lookup does not depend on the object's size.
// Refused, with offset and reason: invalid UTF-8, broken grammar, unpaired surrogates, duplicate member names (readers
// disagree about which one counts), and anything over Limits. Work is linear in the text.
// The text must outlive the Document, unless parse_owned() took it. Immutable afterwards, any thread.
// The only room that sees simdjson.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace belay::json {

struct Limits {
  size_t bytes = size_t{64} << 20;  // of the text
  uint32_t depth = 100;             // arrays and objects inside each other
  uint32_t values = 1'000'000;      // names and values; 16 to 24 bytes of memory each
};

enum class Type : uint8_t { null, boolean, number, string, array, object };
std::string_view to_string(Type type);  // "null" "boolean" "number" "string" "array" "object"

// A value (or a member's name) of one Document. kNone: there is none.
using Ref = uint32_t;
constexpr Ref kNone = 0xFFFFFFFF;

// A member name with its hash, for lookups whose name is known when rules load.
struct Key {
  Key() = default;
  explicit Key(std::string_view text);
  std::string name;
  uint64_t hash = 0;
};

class Document {
 public:
  static Result<std::unique_ptr<const Document>> parse(std::string_view text, const Limits& limits = {});
  static Result<std::unique_ptr<const Document>> parse_owned(std::string text, const Limits& limits = {});

  Ref root() const { return 0; }
  std::string_view text() const { return text_; }

  Type type(Ref value) const { return static_cast<Type>(entries_[value].info & kTypeMask); }
  // From the first to the last byte of the value as written; a string with its quotes.
  std::string_view raw(Ref value) const {
    const Entry& entry = entries_[value];
    return text_.substr(entry.begin, entry.end - entry.begin);
  }
  bool boolean(Ref value) const { return text_[entries_[value].begin] == 't'; }

  // Strings. The bytes between the quotes; equal to the decoded text unless has_escapes().
  std::string_view inner(Ref string) const {
    const Entry& entry = entries_[string];
    return text_.substr(entry.begin + 1, entry.end - entry.begin - 2);
  }
  bool has_escapes(Ref string) const { return (entries_[string].info & kEscaped) != 0; }
  // The decoded text: a view into the payload, or into `scratch` where there are escapes.
  std::string_view string(Ref string, std::string& scratch) const;

  // Numbers: see json/number.h for what raw() means.
  // An integer as written: no fraction, no exponent.
  bool is_integer(Ref number) const { return (entries_[number].info & kInteger) != 0; }

  // Arrays and objects: number of elements or members.
  uint32_t size(Ref container) const { return entries_[container].info >> kCountShift; }
  // In order: first(), then next() until kNone. Of an object these are the names; value_of() gives the value.
  Ref first(Ref container) const { return size(container) == 0 ? kNone : container + 1; }
  Ref next(Ref container, Ref element) const {
    const Ref after = type(container) == Type::object ? entries_[element + 1].next : entries_[element].next;
    return after < entries_[container].next ? after : kNone;
  }
  static Ref value_of(Ref name) { return name + 1; }
  // The name of a member's value.
  static Ref name_of(Ref member_value) { return member_value - 1; }

  // kNone when there is no such member or `object` is not an object.
  Ref find(Ref object, const Key& key) const { return find(object, key.name, key.hash); }
  Ref find(Ref object, std::string_view name) const;
  // Element `index` of an array; walks the elements before it.
  Ref at(Ref array, uint32_t index) const;
  // "order.lines[0].sku", member names plain; kNone when a step leads nowhere. For tests and settings, not for requests.
  Ref find_path(std::string_view path) const;

  // Memory held beyond the text.
  size_t footprint() const;

  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;
  ~Document();

 private:
  friend class Indexer;
  // One name or value. info: type, flags, and the count of a container or the hash bits of a name above kCountShift.
  struct Entry {
    uint32_t begin, end;  // offsets in the text
    Ref next;             // of a value: behind its whole subtree; of a name: its object
    uint32_t info;
  };
  static constexpr uint32_t kTypeMask = 7, kEscaped = 8, kInteger = 16, kName = 32;
  static constexpr int kCountShift = 6;

  Document() = default;
  Ref find(Ref object, std::string_view name, uint64_t hash) const;
  bool name_equals(Ref name_ref, std::string_view name) const;

  std::string_view text_;
  std::unique_ptr<const std::string> owned_;
  std::unique_ptr<Entry[]> entries_;
  uint32_t entry_count_ = 0;
  std::unique_ptr<Ref[]> slots_;  // open addressing over (object, name); kNone is free
  uint32_t slot_mask_ = 0;
};

// Decodes the escapes of an inner() that parse() accepted. `out` has room for inner.size() bytes; returns the bytes written.
size_t unescape(std::string_view inner, char* out);

}  // namespace belay::json
