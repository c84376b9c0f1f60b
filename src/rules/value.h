// Value: what an expression works on and yields. 16 bytes, copied freely, owns nothing: text, lists and maps point into the
// payload or into the arena of the Context that made them, and are valid as long as these. A value of the payload stays a
// lazy view (json::Ref) with its raw text until an operator needs its content; so it passes through templates byte for byte.
// An error is a value too (CEL's && and || absorb it); Expression::evaluate turns it into a Result. Pure, one thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "json/document.h"
#include "rules/arena.h"

namespace belay::rules {

enum class Kind : uint8_t {
  null, boolean, integer, uinteger, real, string, bytes, list, map, timestamp, duration, type, optional, error,
};
std::string_view to_string(Kind kind);  // CEL's names: "null_type" "bool" "int" "uint" "double" "string" …

// Why an evaluation gave no value. no_such_key is what `missing:` of a template may replace.
enum class Fault : uint8_t {
  no_such_key,       // absent path, index out of range
  no_such_overload,  // an operator or function met types it has no meaning for, or that cannot be compared
  invalid,           // a conversion, pattern, format or argument is wrong; division by zero; overflow
  unreadable,        // the payload could not be decoded
  budget,            // work or memory limit of one evaluation
};
std::string_view to_string(Fault fault);  // "no such key" "no such overload" "invalid" "unreadable payload" "over the limit"

struct Failure {
  Fault fault = Fault::invalid;
  std::string_view message;  // "no such key: total"
  uint32_t offset = 0;       // byte in the expression where it happened
};

struct Entry;
class Table;

// Moments and spans with CEL's resolution: nanoseconds in [0, 1e9) on top of seconds (floored, also for negative ones).
struct Moment {
  int64_t seconds = 0;
  uint32_t nanos = 0;
  auto operator<=>(const Moment&) const = default;
};

class Value {
 public:
  Value() = default;  // null
  static Value boolean(bool v) { return Value(Tag::boolean, 0, v ? 1 : 0); }
  static Value integer(int64_t v) { return Value(Tag::integer, 0, static_cast<uint64_t>(v)); }
  static Value uinteger(uint64_t v) { return Value(Tag::uinteger, 0, v); }
  static Value real(double v) { return Value(Tag::real, 0, __builtin_bit_cast(uint64_t, v)); }
  // The bytes must outlive the value: payload, arena, constants of a compiled expression, or the request.
  static Value string(std::string_view v) { return Value(Tag::string, v.size(), pointer(v.data())); }
  static Value bytes(std::string_view v) { return Value(Tag::bytes, v.size(), pointer(v.data())); }
  static Value list(std::span<const Value> v) { return Value(Tag::list, v.size(), pointer(v.data())); }
  static Value map(std::span<const Entry> v) { return Value(Tag::map, v.size(), pointer(v.data())); }
  static Value timestamp(Moment v) { return Value(Tag::timestamp, v.nanos, static_cast<uint64_t>(v.seconds)); }
  static Value duration(Moment v) { return Value(Tag::duration, v.nanos, static_cast<uint64_t>(v.seconds)); }
  static Value type(Kind v) { return Value(Tag::type, static_cast<size_t>(v), 0); }
  static Value optional_of(const Value* v) { return Value(Tag::optional, 0, pointer(v)); }
  static Value optional_none() { return Value(Tag::optional, 0, 0); }
  static Value json(const json::Document& document, json::Ref ref) { return Value(Tag::json, ref, pointer(&document)); }
  static Value table(const Table& v) { return Value(Tag::table, 0, pointer(&v)); }
  static Value error(const Failure& v) { return Value(Tag::error, 0, pointer(&v)); }
  // Copies the bytes into the arena; an error value when it is full.
  static Value copy_string(std::string_view v, Arena& arena);
  static Value copy_bytes(std::string_view v, Arena& arena);
  static Value failed(Fault fault, std::string_view message, Arena& arena, uint32_t offset = 0);

  // The kind as rules see it: a payload number is int, uint or double; an object or a Table is a map.
  Kind kind() const;
  bool is_error() const { return tag_ == Tag::error; }
  bool is_null() const { return kind() == Kind::null; }
  bool is_json() const { return tag_ == Tag::json; }
  bool is_table() const { return tag_ == Tag::table; }
  bool is_json_number() const { return tag_ == Tag::json && document().type(ref()) == json::Type::number; }
  // A number that came from the payload or was computed from one. How it was written there (3000 or 3000.00) says nothing about
  // its type, so arithmetic gives it the type its neighbour needs.
  bool is_flexible() const { return flexible_ || is_json_number(); }
  Value as_flexible() const {
    Value copy = *this;
    copy.flexible_ = true;
    return copy;
  }
  // True for false, 0, "" and the like is not a thing: only a bool is one.
  bool is_true() const { return kind() == Kind::boolean && as_boolean(); }

  // Payload scalars as plain ones (text without escapes stays a view into the payload); everything else unchanged. An integer
  // that fits neither int nor uint stays as it is. An error value when the arena is full.
  Value plain(Arena& arena) const;

  // Content. The kind must fit; text() and the numbers need a plain value.
  bool as_boolean() const { return tag_ == Tag::json ? document().boolean(ref()) : bits_ != 0; }
  int64_t as_integer() const { return static_cast<int64_t>(bits_); }
  uint64_t as_uinteger() const { return bits_; }
  double as_real() const { return __builtin_bit_cast(double, bits_); }
  std::string_view text() const { return {reinterpret_cast<const char*>(bits_), extra_}; }  // string and bytes
  std::span<const Value> items() const { return {reinterpret_cast<const Value*>(bits_), extra_}; }
  std::span<const Entry> entries() const;
  Moment moment() const { return {static_cast<int64_t>(bits_), extra_}; }
  Kind as_type() const { return static_cast<Kind>(extra_); }
  const Value* inside() const { return reinterpret_cast<const Value*>(bits_); }  // of an optional; null: none
  const json::Document& document() const { return *reinterpret_cast<const json::Document*>(bits_); }
  json::Ref ref() const { return extra_; }
  const Table& as_table() const { return *reinterpret_cast<const Table*>(bits_); }
  const Failure& failure() const { return *reinterpret_cast<const Failure*>(bits_); }

  // How it reads inside text: strings bare, numbers as written, bytes as they are, timestamps RFC 3339, lists and maps as JSON.
  // null is empty. Errors for error values and for optionals without a value.
  Result<void> append_text(std::string& out) const;
  Result<std::string> to_text() const;
  // As JSON; payload values byte for byte; bytes as base64; timestamps and durations as strings. NaN and infinities, maps
  // with keys that are not strings, and error values are errors.
  Result<void> append_json(std::string& out) const;
  Result<std::string> to_json() const;
  // The failure of an error value as an Error (kind full for the budget, invalid otherwise).
  Error to_error() const;

 private:
  enum class Tag : uint8_t {
    null, boolean, integer, uinteger, real, string, bytes, list, map, timestamp, duration, type, optional, error, json, table,
  };
  Value(Tag tag, size_t extra, uint64_t bits) : tag_(tag), extra_(static_cast<uint32_t>(extra)), bits_(bits) {}
  static uint64_t pointer(const void* p) { return reinterpret_cast<uint64_t>(p); }

  Tag tag_ = Tag::null;
  bool flexible_ = false;
  uint32_t extra_ = 0;
  uint64_t bits_ = 0;
};
static_assert(sizeof(Value) == 16);

struct Entry {
  Value key, value;
};
inline std::span<const Entry> Value::entries() const { return {reinterpret_cast<const Entry*>(bits_), extra_}; }

// A map whose members are looked up where they are: $headers, $query, $form, $secret, $event, $client. Names as the table
// defines them (header names: any case). Lives as long as the Context.
class Table {
 public:
  virtual ~Table() = default;
  // False: no such key. Never an error value. Copies go to `arena`.
  virtual bool find(std::string_view name, Arena& arena, Value& out) const = 0;
  // Every value under a name, in order: $headers.all("x"). The default: the one find() gives, as a list.
  virtual Value all(std::string_view name, Arena& arena) const;
  // For size(), macros and JSON: distinct names in order. A table that must not be listed (secrets) says 0.
  virtual size_t size() const { return 0; }
  virtual std::string_view name_at(size_t) const { return {}; }
};

}  // namespace belay::rules
