// Lists, maps and optionals.
#include <algorithm>

#include "rules/compare.h"
#include "rules/functions.h"

namespace belay::rules {

namespace {

using Arguments = std::span<const Value>;
constexpr Kinds kString = bit(Kind::string), kList = bit(Kind::list), kMap = bit(Kind::map), kOptional = bit(Kind::optional);

// join(list), list.join(separator): strings, and numbers and bools as they read.
Value join(Frame& frame, Arguments a, uint32_t offset) {
  const std::string_view separator = a.size() > 1 ? a[1].text() : std::string_view();
  std::string out;
  bool first = true;
  Cursor cursor(a[0], frame.arena);
  Value index, item;
  while (cursor.next(index, item)) {
    const Kind kind = item.kind();
    if ((bit(kind) & (kString | kNumber | bit(Kind::boolean))) == 0) {
      return frame.no_overload("no such overload: join() of " + std::string(to_string(kind)) + "; map() the items to strings first", offset);
    }
    if (!first) out += separator;
    first = false;
    if (auto done = item.append_text(out); !done) return frame.fail(Fault::invalid, done.error().message, offset);
    if (!frame.charge(1) || out.size() > frame.arena.limit()) return frame.over_budget(offset);
  }
  return frame.keep_string(out, offset);
}

Value empty_list(Frame& frame, uint32_t offset) { return frame.fail(Fault::no_such_key, "no such key: the list is empty", offset); }

Value first(Frame& frame, Arguments a, uint32_t offset) {
  Value index, item;
  return Cursor(a[0], frame.arena).next(index, item) ? item : empty_list(frame, offset);
}

Value last(Frame& frame, Arguments a, uint32_t offset) {
  const size_t size = size_of(a[0]);
  Value item;
  if (size == 0) return empty_list(frame, offset);
  if (find_element(frame, a[0], Value::uinteger(size - 1), item) == Found::yes) return item;
  return frame.over_budget(offset);
}

// Ascending; all items must be comparable with each other.
Value sort(Frame& frame, Arguments a, uint32_t offset) {
  const size_t size = size_of(a[0]);
  Value* out = frame.values(size);
  if (out == nullptr) return frame.out_of_memory(offset);
  Value index;
  Cursor cursor(a[0], frame.arena);
  for (size_t i = 0; i < size; ++i) cursor.next(index, out[i]);
  for (size_t i = 1; i < size; ++i) {
    const int order = compare(frame, out[i - 1], out[i]);
    if (order == kIncomparable || order == kUnordered) {
      if (frame.exhausted()) return frame.over_budget(offset);
      return frame.no_overload("no such overload: sort() of items that have no order", offset);
    }
  }
  std::stable_sort(out, out + size, [&](const Value& x, const Value& y) { return frame.charge(1) && compare(frame, x, y) == -1; });
  if (frame.exhausted()) return frame.over_budget(offset);
  return Value::list({out, size});
}

Value keys(Frame& frame, Arguments a, uint32_t offset) {
  const size_t size = size_of(a[0]);
  Value* out = frame.values(size);
  if (out == nullptr) return frame.out_of_memory(offset);
  Value value;
  Cursor cursor(a[0], frame.arena);
  for (size_t i = 0; i < size; ++i) cursor.next(out[i], value);
  return Value::list({out, size});
}

// merge(a, b, …): members of later maps win; order of first appearance.
Value merge(Frame& frame, Arguments a, uint32_t offset) {
  size_t most = 0;
  for (const Value& map : a) most += size_of(map);
  Entry* out = frame.charge(most) ? frame.arena.array<Entry>(most) : nullptr;
  if (out == nullptr && most > 0) return frame.out_of_memory(offset);
  size_t count = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    Cursor cursor(a[i], frame.arena);
    Value key, value;
    while (cursor.next(key, value)) {
      key = key.plain(frame.arena);
      if (key.is_error()) return key;
      Value later;
      bool is_new = true;
      for (size_t j = 0; j < i && is_new; ++j) is_new = find_member(frame, a[j], key, later) != Found::yes;
      if (!is_new) continue;
      for (size_t j = i + 1; j < a.size(); ++j) {
        if (find_member(frame, a[j], key, later) == Found::yes) value = later;
      }
      if (frame.exhausted()) return frame.over_budget(offset);
      out[count++] = {key, value};
    }
  }
  return Value::map({out, count});
}

Value optional_of(Frame& frame, Arguments a, uint32_t offset) {
  Value* kept = frame.values(1);
  if (kept == nullptr) return frame.out_of_memory(offset);
  *kept = a[0];
  return Value::optional_of(kept);
}

bool is_zero(const Value& v) {
  switch (v.kind()) {
    case Kind::null: return true;
    case Kind::boolean: return !v.as_boolean();
    case Kind::integer: return !v.is_json() && v.as_integer() == 0;
    case Kind::uinteger: return v.as_uinteger() == 0;
    case Kind::real: return v.as_real() == 0;
    case Kind::string:
    case Kind::bytes: return v.text().empty();
    case Kind::list:
    case Kind::map: return size_of(v) == 0;
    case Kind::duration: return v.moment() == Moment{};
    case Kind::optional: return v.inside() == nullptr;
    default: return false;
  }
}

Value optional_of_non_zero(Frame& frame, Arguments a, uint32_t offset) {
  return is_zero(a[0].plain(frame.arena)) ? Value::optional_none() : optional_of(frame, a, offset);
}

Value optional_none(Frame&, Arguments, uint32_t) { return Value::optional_none(); }
Value has_value(Frame&, Arguments a, uint32_t) { return Value::boolean(a[0].inside() != nullptr); }

Value optional_value(Frame& frame, Arguments a, uint32_t offset) {
  if (a[0].inside() != nullptr) return *a[0].inside();
  return frame.fail(Fault::no_such_key, "no such key: optional.none() has no value", offset);
}

constexpr Function kFunctions[] = {
    {"join", Style::both, 1, 2, {kList, kString}, kString, join},
    {"first", Style::global, 1, 1, {kList}, kAny, first},
    {"last", Style::global, 1, 1, {kList}, kAny, last},
    {"sort", Style::global, 1, 1, {kList}, kList, sort},
    {"keys", Style::global, 1, 1, {kMap}, kList, keys},
    {"merge", Style::global, 2, 255, {kMap, kMap, kMap, kMap}, kMap, merge},
    {"optional.of", Style::global, 1, 1, {kAny}, kOptional, optional_of, true, true},
    {"optional.ofNonZeroValue", Style::global, 1, 1, {kAny}, kOptional, optional_of_non_zero, true, true},
    {"optional.none", Style::global, 0, 0, {}, kOptional, optional_none},
    {"hasValue", Style::method, 1, 1, {kOptional}, bit(Kind::boolean), has_value},
    {"value", Style::method, 1, 1, {kOptional}, kAny, optional_value},
};

}  // namespace

std::span<const Function> list_functions() { return kFunctions; }

}  // namespace belay::rules
