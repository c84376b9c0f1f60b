#include "rules/value.h"

#include <charconv>
#include <cmath>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "json/number.h"
#include "rules/moment.h"

namespace belay::rules {

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::null: return "null_type";
    case Kind::boolean: return "bool";
    case Kind::integer: return "int";
    case Kind::uinteger: return "uint";
    case Kind::real: return "double";
    case Kind::string: return "string";
    case Kind::bytes: return "bytes";
    case Kind::list: return "list";
    case Kind::map: return "map";
    case Kind::timestamp: return "google.protobuf.Timestamp";
    case Kind::duration: return "google.protobuf.Duration";
    case Kind::type: return "type";
    case Kind::optional: return "optional_type";
    case Kind::error: return "error";
  }
  BELAY_CHECK_NOTE(false, "unknown Kind");
}

std::string_view to_string(Fault fault) {
  switch (fault) {
    case Fault::no_such_key: return "no such key";
    case Fault::no_such_overload: return "no such overload";
    case Fault::invalid: return "invalid";
    case Fault::unreadable: return "unreadable payload";
    case Fault::budget: return "over the limit";
  }
  BELAY_CHECK_NOTE(false, "unknown Fault");
}

namespace {

const Failure kArenaFull{Fault::budget, "the evaluation needs more memory than its limit", 0};

std::string_view copy(std::string_view text, Arena& arena, bool& good) {
  char* bytes = arena.array<char>(text.size());
  good = bytes != nullptr;
  if (good && !text.empty()) memcpy(bytes, text.data(), text.size());
  return {bytes, good ? text.size() : 0};
}

Kind number_kind(const json::Document& document, json::Ref ref) {
  if (!document.is_integer(ref)) return Kind::real;
  const std::string_view raw = document.raw(ref);
  // An integer too large for either stays an int: arithmetic refuses it, comparison and output do not need its value.
  return raw.size() >= 19 && !json::to_int64(raw) && json::to_uint64(raw) ? Kind::uinteger : Kind::integer;
}

}  // namespace

Value Value::copy_string(std::string_view v, Arena& arena) {
  bool good = false;
  const std::string_view kept = copy(v, arena, good);
  return good ? string(kept) : error(kArenaFull);
}

Value Value::copy_bytes(std::string_view v, Arena& arena) {
  bool good = false;
  const std::string_view kept = copy(v, arena, good);
  return good ? bytes(kept) : error(kArenaFull);
}

Value Value::failed(Fault fault, std::string_view message, Arena& arena, uint32_t offset) {
  bool good = false;
  const std::string_view kept = copy(message, arena, good);
  void* place = good ? arena.allocate(sizeof(Failure)) : nullptr;
  if (place == nullptr) return error(kArenaFull);
  return error(*new (place) Failure{fault, kept, offset});
}

Kind Value::kind() const {
  static constexpr Kind kKinds[] = {Kind::null,      Kind::boolean,  Kind::integer, Kind::uinteger, Kind::real,
                                    Kind::string,    Kind::bytes,    Kind::list,    Kind::map,      Kind::timestamp,
                                    Kind::duration,  Kind::type,     Kind::optional, Kind::error};
  if (tag_ == Tag::table) return Kind::map;
  if (tag_ != Tag::json) return kKinds[static_cast<size_t>(tag_)];
  switch (document().type(ref())) {
    case json::Type::null: return Kind::null;
    case json::Type::boolean: return Kind::boolean;
    case json::Type::number: return number_kind(document(), ref());
    case json::Type::string: return Kind::string;
    case json::Type::array: return Kind::list;
    case json::Type::object: return Kind::map;
  }
  BELAY_CHECK_NOTE(false, "unknown json::Type");
}

Value Value::plain(Arena& arena) const {
  if (tag_ != Tag::json) return *this;
  const json::Document& source = document();
  switch (source.type(ref())) {
    case json::Type::null: return {};
    case json::Type::boolean: return boolean(source.boolean(ref()));
    case json::Type::string: {
      const std::string_view inner = source.inner(ref());
      if (!source.has_escapes(ref())) return string(inner);
      char* decoded = arena.array<char>(inner.size());
      return decoded == nullptr ? error(kArenaFull) : string({decoded, json::unescape(inner, decoded)});
    }
    case json::Type::number: {
      const std::string_view raw = source.raw(ref());
      if (!source.is_integer(ref())) return real(json::to_double(raw)).as_flexible();
      if (const auto integer_value = json::to_int64(raw)) return integer(*integer_value).as_flexible();
      if (const auto uinteger_value = json::to_uint64(raw)) return uinteger(*uinteger_value).as_flexible();
      return *this;
    }
    default: return *this;
  }
}

Value Table::all(std::string_view name, Arena& arena) const {
  Value* item = arena.array<Value>(1);
  if (item == nullptr) return Value::error(kArenaFull);
  return find(name, arena, *item) ? Value::list({item, 1}) : Value::list({});
}

Error Value::to_error() const {
  const Failure& why = failure();
  return {why.fault == Fault::budget ? ErrorKind::full : ErrorKind::invalid, std::string(why.message)};
}

namespace {

template <typename T>
void append_number(T value, std::string& out) {
  char buffer[40];
  out.append(buffer, static_cast<size_t>(std::to_chars(buffer, buffer + sizeof buffer, value).ptr - buffer));
}

void append_real(double value, std::string& out) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value < 0 ? "-Infinity" : "Infinity";
  } else {
    append_number(value, out);
  }
}

Result<void> append_json_map(const Value& map, std::string& out) {
  out.push_back('{');
  bool first = true;
  const auto member = [&](std::string_view name, const Value& value) {
    if (!first) out.push_back(',');
    first = false;
    append_json_string(out, name);
    out.push_back(':');
    return value.append_json(out);
  };
  if (map.is_table()) {
    Arena arena;
    const Table& table = map.as_table();
    for (size_t i = 0; i < table.size(); ++i) {
      Value value;
      if (!table.find(table.name_at(i), arena, value)) continue;
      if (auto done = member(table.name_at(i), value); !done) return done;
    }
  } else {
    Arena arena;
    for (const Entry& entry : map.entries()) {
      const Value key = entry.key.plain(arena);
      if (key.kind() != Kind::string) return invalid("a map with " + std::string(to_string(key.kind())) + " keys has no JSON form");
      if (auto done = member(key.text(), entry.value); !done) return done;
    }
  }
  out.push_back('}');
  return {};
}

Error no_value() { return invalid("an optional without a value; add .orValue(…)"); }

}  // namespace

Result<void> Value::append_text(std::string& out) const {
  switch (kind()) {
    case Kind::null: return {};
    case Kind::string:
      if (is_json()) {
        const std::string_view inner = document().inner(ref());
        if (!document().has_escapes(ref())) {
          out += inner;
          return {};
        }
        const size_t before = out.size();
        out.resize(before + inner.size());
        out.resize(before + json::unescape(inner, out.data() + before));
        return {};
      }
      [[fallthrough]];
    case Kind::bytes: out += text(); return {};
    case Kind::real:
      if (is_json()) break;
      append_real(as_real(), out);
      return {};
    case Kind::timestamp: append_timestamp(moment(), out); return {};
    case Kind::duration: append_duration(moment(), out); return {};
    case Kind::type: out += to_string(as_type()); return {};
    case Kind::optional: return inside() == nullptr ? Result<void>(no_value()) : inside()->append_text(out);
    default: break;
  }
  return append_json(out);
}

Result<void> Value::append_json(std::string& out) const {
  if (is_json()) {
    out += document().raw(ref());
    return {};
  }
  switch (kind()) {
    case Kind::null: out += "null"; return {};
    case Kind::boolean: out += as_boolean() ? "true" : "false"; return {};
    case Kind::integer: append_number(as_integer(), out); return {};
    case Kind::uinteger: append_number(as_uinteger(), out); return {};
    case Kind::real:
      if (!std::isfinite(as_real())) return invalid("NaN and infinity have no JSON form");
      append_real(as_real(), out);
      return {};
    case Kind::string: append_json_string(out, text()); return {};
    case Kind::bytes: append_json_string(out, base64_encode(text())); return {};
    case Kind::list: {
      out.push_back('[');
      bool first = true;
      for (const Value& item : items()) {
        if (!first) out.push_back(',');
        first = false;
        if (auto done = item.append_json(out); !done) return done;
      }
      out.push_back(']');
      return {};
    }
    case Kind::map: return append_json_map(*this, out);
    case Kind::timestamp:
    case Kind::duration:
    case Kind::type: {
      std::string text_form;
      if (auto done = append_text(text_form); !done) return done;
      append_json_string(out, text_form);
      return {};
    }
    case Kind::optional: return inside() == nullptr ? Result<void>(no_value()) : inside()->append_json(out);
    case Kind::error: return to_error();
  }
  BELAY_CHECK_NOTE(false, "unknown Kind");
}

Result<std::string> Value::to_text() const {
  std::string out;
  if (auto done = append_text(out); !done) return done.error();
  return out;
}

Result<std::string> Value::to_json() const {
  std::string out;
  if (auto done = append_json(out); !done) return done.error();
  return out;
}

}  // namespace belay::rules
