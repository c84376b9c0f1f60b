#include "rules/node.h"

#include <cmath>
#include <cstring>

#include "base/check.h"
#include "rules/compare.h"
#include "rules/expression.h"

namespace belay::rules {

std::string describe(Kinds kinds) {
  if (kinds == kNumber) return "a number";
  if ((kinds & kAny) == kAny) return "any value";
  std::string out;
  for (int i = 0; i < static_cast<int>(Kind::error); ++i) {
    const Kind kind = static_cast<Kind>(i);
    if ((kinds & bit(kind)) == 0) continue;
    if (!out.empty()) out += (kinds >> (i + 1)) == 0 ? " or " : ", ";
    out += kind == Kind::timestamp  ? "timestamp"
           : kind == Kind::duration ? "duration"
           : kind == Kind::null     ? "null"
           : kind == Kind::optional ? "optional"
                                    : to_string(kind);
  }
  return out;
}

Value Frame::over_budget(uint32_t offset) {
  exhausted_ = true;
  return fail(Fault::budget, "the evaluation takes more than " + std::to_string(context.max_steps()) + " steps", offset);
}

Value Frame::out_of_memory(uint32_t offset) {
  exhausted_ = true;
  return fail(Fault::budget, "the evaluation needs more memory than its limit", offset);
}

Value Frame::fail(Fault fault, std::string_view message, uint32_t offset) {
  if (fault == Fault::budget) exhausted_ = true;
  return Value::failed(fault, message, arena, offset);
}

char* Frame::text(size_t bytes) {
  if (bytes > kMaxResult || !charge(bytes / 16)) return nullptr;
  return arena.array<char>(bytes);
}

Value* Frame::values(size_t count) {
  if (count > kMaxResult / sizeof(Value) || !charge(count / 2)) return nullptr;
  return arena.array<Value>(count);
}

Value Frame::keep_string(std::string_view text_in, uint32_t offset) {
  char* bytes = text(text_in.size());
  if (bytes == nullptr) return out_of_memory(offset);
  if (!text_in.empty()) memcpy(bytes, text_in.data(), text_in.size());
  return Value::string({bytes, text_in.size()});
}

Cursor::Cursor(const Value& container, Arena& arena) : container_(container), arena_(arena), size_(size_of(container)) {
  if (container_.is_json()) at_ = container_.document().first(container_.ref());
}

bool Cursor::next(Value& key, Value& value) {
  if (index_ >= size_) return false;
  const size_t i = index_++;
  if (container_.is_json()) {
    const json::Document& document = container_.document();
    const bool object = document.type(container_.ref()) == json::Type::object;
    key = object ? Value::json(document, at_) : Value::integer(static_cast<int64_t>(i));
    value = Value::json(document, object ? json::Document::value_of(at_) : at_);
    at_ = document.next(container_.ref(), at_);
  } else if (container_.is_table()) {
    const std::string_view name = container_.as_table().name_at(i);
    key = Value::string(name);
    if (!container_.as_table().find(name, arena_, value)) value = Value();
  } else if (container_.kind() == Kind::map) {
    key = container_.entries()[i].key;
    value = container_.entries()[i].value;
  } else {
    key = Value::integer(static_cast<int64_t>(i));
    value = container_.items()[i];
  }
  return true;
}

size_t size_of(const Value& container) {
  if (container.is_json()) return container.document().size(container.ref());
  if (container.is_table()) return container.as_table().size();
  return container.kind() == Kind::map ? container.entries().size() : container.items().size();
}

namespace {

bool may_be_key(Kind kind) {
  return kind == Kind::string || kind == Kind::boolean || kind == Kind::integer || kind == Kind::uinteger || kind == Kind::real;
}

Found found_json(const Value& object, json::Ref ref, Value& out) {
  if (ref == json::kNone) return Found::no;
  out = Value::json(object.document(), ref);
  return Found::yes;
}

Found find_entry(Frame& frame, const Value& map, const Value& key, Value& out) {
  for (const Entry& entry : map.entries()) {
    if (!frame.charge(1)) return Found::no;
    if (equal(frame, entry.key, key)) {
      out = entry.value;
      return Found::yes;
    }
  }
  return Found::no;
}

}  // namespace

Found find_member(Frame& frame, const Value& map, const Value& key, Value& out) {
  if (!may_be_key(key.kind())) return Found::wrong_type;
  if (map.is_json() || map.is_table()) {
    if (key.kind() != Kind::string) return Found::no;
    if (map.is_json()) return found_json(map, map.document().find(map.ref(), key.text()), out);
    return map.as_table().find(key.text(), frame.arena, out) ? Found::yes : Found::no;
  }
  return find_entry(frame, map, key, out);
}

Found find_member(Frame& frame, const Value& map, const json::Key& key, Value& out) {
  if (map.is_json()) return found_json(map, map.document().find(map.ref(), key), out);
  return find_member(frame, map, Value::string(key.name), out);
}

Found find_element(Frame& frame, const Value& list, const Value& index, Value& out) {
  uint64_t at = 0;
  switch (index.kind()) {
    case Kind::integer:
      if (index.is_json() || index.as_integer() < 0) return Found::no;
      at = static_cast<uint64_t>(index.as_integer());
      break;
    case Kind::uinteger: at = index.as_uinteger(); break;
    case Kind::real: {
      const double real = index.as_real();
      if (!(real >= 0 && real < 0x1p32) || real != std::trunc(real)) return real == std::trunc(real) ? Found::no : Found::wrong_type;
      at = static_cast<uint64_t>(real);
      break;
    }
    default: return Found::wrong_type;
  }
  if (at >= size_of(list)) return Found::no;
  if (!list.is_json()) {
    out = list.items()[at];
    return Found::yes;
  }
  if (!frame.charge(at / 4)) return Found::no;
  return found_json(list, list.document().at(list.ref(), static_cast<uint32_t>(at)), out);
}

}  // namespace belay::rules
