#include "modules/schema/validator.h"

#include <xxhash.h>

#include <algorithm>

#include "base/bytes.h"
#include "json/number.h"

namespace belay::modules::schema {

using json::Document;
using json::kNone;
using json::Ref;
using json::Type;

namespace {

size_t code_points(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
}

std::string type_names(uint32_t types) {
  std::string names;
  const auto add = [&names](std::string_view name) { names.append(names.empty() ? "" : " or ").append(name); };
  for (const Type type : {Type::null, Type::boolean, Type::number, Type::string, Type::array, Type::object}) {
    if ((types >> static_cast<unsigned>(type) & 1) != 0) add(json::to_string(type));
  }
  if ((types & kIntegerBit) != 0) add("integer");
  return names;
}

}  // namespace

std::optional<std::string> Validator::validate(const Node& schema) {
  const bool good = fits(schema, document_.root());
  if (exhausted_) return "the payload needs more than " + std::to_string(kMaxSteps) + " steps to be checked";
  if (good) return std::nullopt;
  return failure_;
}

bool Validator::charge(uint64_t steps) {
  if (exhausted_ || steps > steps_left_) {
    exhausted_ = true;
    return false;
  }
  steps_left_ -= steps;
  return true;
}

std::string Validator::pointer(Ref last) const {
  std::string out, scratch;
  const auto add = [&](Ref name) {
    out += '/';
    for (const char c : document_.string(name, scratch).substr(0, kMaxPointer)) c == '~' ? out += "~0" : c == '/' ? out += "~1" : out += c;
  };
  for (const Step& step : path_) {
    if (out.size() > kMaxPointer) break;
    if (step.name == kNone) {
      out += '/' + std::to_string(step.index);
    } else {
      add(step.name);
    }
  }
  if (last != kNone && out.size() <= kMaxPointer) add(last);
  return out.empty() ? "the payload itself" : printable(out, kMaxPointer);
}

bool Validator::fail(std::string_view keyword, std::string_view more, Ref where) {
  if (quiet_ > 0 || exhausted_) return false;
  failure_ = pointer(where) + ": " + std::string(keyword);
  if (!more.empty()) failure_.append(", ").append(more);
  return false;
}

bool Validator::fail_range(const Range& range, size_t count, std::string_view least, std::string_view most) {
  return count < range.least ? fail(least, "at least " + std::to_string(range.least)) : fail(most, "at most " + std::to_string(range.most));
}

bool Validator::fits(const Node& node, Ref value) {
  if (!charge(1)) return false;
  if (depth_ == kMaxDepth) {
    exhausted_ = true;
    return false;
  }
  ++depth_;
  const bool good = fits_inside(node, value);
  --depth_;
  return good;
}

bool Validator::fits_inside(const Node& node, Ref value) {
  if (node.never) return fail("false");
  if (node.reference != nullptr && !fits(*node.reference, value)) return false;
  if (!scalar(node, value)) return false;
  switch (document_.type(value)) {
    case Type::number:
      if (!number(node, document_.raw(value))) return false;
      break;
    case Type::string:
      if (!string(node, value)) return false;
      break;
    case Type::array:
      if (!array(node, value)) return false;
      break;
    case Type::object:
      if (!object(node, value)) return false;
      break;
    default: break;
  }
  return combined(node, value);
}

bool Validator::fits_quietly(const Node& node, Ref value) {
  ++quiet_;
  const bool good = fits(node, value);
  --quiet_;
  return good;
}

bool Validator::step(const Node& node, Ref value, Step where) {
  path_.push_back(where);
  const bool good = fits(node, value);
  path_.pop_back();
  return good;
}

// type, const, enum.
bool Validator::scalar(const Node& node, Ref value) {
  const Type type = document_.type(value);
  if (node.types != 0 && (node.types >> static_cast<unsigned>(type) & 1) == 0) {
    const bool integer = (node.types & kIntegerBit) != 0 && type == Type::number && json::is_whole(document_.raw(value));
    if (!integer) return fail("type", "expected " + type_names(node.types));
  }
  const Literal here{&document_, value};
  if (node.constant && !same(*node.constant, here)) return fail("const");
  if (!node.has_enum) return true;
  const bool among = std::any_of(node.among.begin(), node.among.end(), [&](const Literal& literal) { return same(literal, here); });
  return among || fail("enum");
}

bool Validator::number(const Node& node, std::string_view raw) {
  const auto wrong = [&](const std::optional<std::string_view>& limit, auto compare) { return limit && !compare(json::compare_numbers(raw, *limit)); };
  if (wrong(node.minimum, [](int c) { return c >= 0; })) return fail("minimum", printable(*node.minimum, 40));
  if (wrong(node.maximum, [](int c) { return c <= 0; })) return fail("maximum", printable(*node.maximum, 40));
  if (wrong(node.exclusive_minimum, [](int c) { return c > 0; })) return fail("exclusiveMinimum", printable(*node.exclusive_minimum, 40));
  if (wrong(node.exclusive_maximum, [](int c) { return c < 0; })) return fail("exclusiveMaximum", printable(*node.exclusive_maximum, 40));
  if (node.multiple_of && !json::is_multiple(raw, *node.multiple_of)) return fail("multipleOf", printable(*node.multiple_of, 40));
  return true;
}

bool Validator::string(const Node& node, Ref value) {
  const bool counted = node.length.least > 0 || node.length.most != kNoMaximum;
  if (!counted && node.pattern == nullptr && node.format == nullptr) return true;
  std::string scratch;
  const std::string_view text = document_.string(value, scratch);
  if (!charge(text.size() / 64)) return false;
  if (counted) {
    const size_t length = code_points(text);
    if (!node.length.holds(length)) return fail_range(node.length, length, "minLength", "maxLength");
  }
  if (node.pattern != nullptr && !re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *node.pattern)) {
    return fail("pattern", printable(node.pattern->pattern(), 60));
  }
  if (node.format != nullptr && !node.format->matches(text)) return fail("format", node.format->name);
  return true;
}

bool Validator::array(const Node& node, Ref value) {
  const uint32_t size = document_.size(value);
  if (!node.items_count.holds(size)) return fail_range(node.items_count, size, "minItems", "maxItems");
  if (node.unique_items && !unique(value)) return false;
  if (node.prefix_items.empty() && node.items == nullptr && node.contains == nullptr) return true;
  uint32_t index = 0, contained = 0;
  for (Ref item = document_.first(value); item != kNone; item = document_.next(value, item), ++index) {
    const Node* schema = index < node.prefix_items.size() ? node.prefix_items[index] : node.items;
    if (schema != nullptr && !step(*schema, item, {kNone, index})) return false;
    if (node.contains != nullptr && fits_quietly(*node.contains, item)) ++contained;
  }
  if (node.contains != nullptr && !node.contains_count.holds(contained)) return fail("contains", std::to_string(contained) + " elements fit");
  return true;
}

bool Validator::unique(Ref array) {
  struct Item {
    uint64_t hash;
    Ref ref;
    uint32_t index;
  };
  std::vector<Item> items;
  for (Ref item = document_.first(array); item != kNone; item = document_.next(array, item)) {
    items.push_back({hash(item), item, static_cast<uint32_t>(items.size())});
  }
  if (exhausted_) return false;
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.hash != b.hash ? a.hash < b.hash : a.index < b.index; });
  for (size_t i = 0; i < items.size(); ++i) {
    for (size_t j = i + 1; j < items.size() && items[j].hash == items[i].hash; ++j) {
      if (!same({&document_, items[i].ref}, {&document_, items[j].ref})) continue;
      return fail("uniqueItems", "elements " + std::to_string(items[i].index) + " and " + std::to_string(items[j].index) + " are equal");
    }
  }
  return !exhausted_;
}

bool Validator::object(const Node& node, Ref value) {
  const uint32_t size = document_.size(value);
  if (!node.members_count.holds(size)) return fail_range(node.members_count, size, "minProperties", "maxProperties");
  for (const json::Key& name : node.required) {
    if (document_.find(value, name) == kNone) return fail("required", "'" + printable(name.name, 60) + "' is missing");
  }
  if (!node.dependents.empty() && !dependents(node, value)) return false;
  if (!node.looks_at_members()) return true;
  for (Ref name = document_.first(value); name != kNone; name = document_.next(value, name)) {
    if (!member(node, name)) return false;
  }
  return true;
}

bool Validator::member(const Node& node, Ref name) {
  if (!charge(1 + node.pattern_properties.size())) return false;
  std::string scratch;
  const std::string_view text = document_.string(name, scratch);
  const Ref value = Document::value_of(name);
  // A name is a string like any other: its entry in the document can be checked as one.
  if (node.property_names != nullptr && !fits_quietly(*node.property_names, name)) return fail("propertyNames", {}, name);
  bool named = false;
  const auto found = std::lower_bound(node.properties.begin(), node.properties.end(), text, [](const auto& entry, std::string_view wanted) { return entry.first < wanted; });
  if (found != node.properties.end() && found->first == text) {
    named = true;
    if (!step(*found->second, value, {name, 0})) return false;
  }
  for (const Pattern& pattern : node.pattern_properties) {
    if (!re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *pattern.expression)) continue;
    named = true;
    if (!step(*pattern.node, value, {name, 0})) return false;
  }
  if (named || node.additional_properties == nullptr) return true;
  if (node.additional_properties->never) return fail("additionalProperties", "not one of the properties", name);
  return step(*node.additional_properties, value, {name, 0});
}

bool Validator::dependents(const Node& node, Ref value) {
  for (const Dependent& dependent : node.dependents) {
    if (document_.find(value, dependent.property) == kNone) continue;
    for (const json::Key& name : dependent.required) {
      if (document_.find(value, name) == kNone) return fail("dependentRequired", "'" + printable(name.name, 60) + "' is missing");
    }
    if (dependent.node != nullptr && !fits(*dependent.node, value)) return false;
  }
  return true;
}

bool Validator::combined(const Node& node, Ref value) {
  const auto quietly = [&](const Node* schema) { return fits_quietly(*schema, value); };
  for (const Node* schema : node.all_of) {
    if (!fits(*schema, value)) return false;
  }
  if (!node.any_of.empty() && std::none_of(node.any_of.begin(), node.any_of.end(), quietly)) return fail("anyOf", "no alternative fits");
  if (!node.one_of.empty()) {
    const auto count = std::count_if(node.one_of.begin(), node.one_of.end(), quietly);
    if (count != 1) return fail("oneOf", std::to_string(count) + " alternatives fit");
  }
  if (node.negated != nullptr && quietly(node.negated)) return fail("not");
  if (node.condition != nullptr) {
    const Node* branch = quietly(node.condition) ? node.then : node.otherwise;
    if (branch != nullptr && !fits(*branch, value)) return false;
  }
  return !exhausted_;
}

bool Validator::same(Literal a, Literal b) {
  const Type type = a.document->type(a.ref);
  if (!charge(1) || type != b.document->type(b.ref)) return false;
  switch (type) {
    case Type::null: return true;
    case Type::boolean: return a.document->boolean(a.ref) == b.document->boolean(b.ref);
    case Type::number: {
      const std::string_view left = a.document->raw(a.ref), right = b.document->raw(b.ref);
      return charge((left.size() + right.size()) / 256) && json::compare_numbers(left, right) == 0;
    }
    case Type::string: {
      std::string left, right;
      return charge(a.document->raw(a.ref).size() / 256) && a.document->string(a.ref, left) == b.document->string(b.ref, right);
    }
    case Type::array: {
      if (a.document->size(a.ref) != b.document->size(b.ref)) return false;
      Ref left = a.document->first(a.ref), right = b.document->first(b.ref);
      for (; left != kNone; left = a.document->next(a.ref, left), right = b.document->next(b.ref, right)) {
        if (!same({a.document, left}, {b.document, right})) return false;
      }
      return true;
    }
    case Type::object: break;
  }
  if (a.document->size(a.ref) != b.document->size(b.ref)) return false;
  std::string scratch;
  for (Ref name = a.document->first(a.ref); name != kNone; name = a.document->next(a.ref, name)) {
    const Ref other = b.document->find(b.ref, a.document->string(name, scratch));
    if (other == kNone || !same({a.document, Document::value_of(name)}, {b.document, other})) return false;
  }
  return true;
}

// Equal values have equal hashes. Values that a sender made to collide cost comparisons, which are charged.
uint64_t Validator::hash(Ref value) {
  if (!charge(1)) return 0;
  const Type type = document_.type(value);
  const auto tag = static_cast<uint64_t>(type);
  switch (type) {
    case Type::null: return tag;
    case Type::boolean: return tag + (document_.boolean(value) ? 16 : 32);
    case Type::number: {
      const double number = json::to_double(document_.raw(value)) + 0.0;  // -0 is 0
      return XXH3_64bits_withSeed(&number, sizeof(number), tag);
    }
    case Type::string: {
      std::string scratch;
      const std::string_view text = document_.string(value, scratch);
      return XXH3_64bits_withSeed(text.data(), text.size(), tag);
    }
    case Type::array: {
      uint64_t all = tag;
      for (Ref item = document_.first(value); item != kNone; item = document_.next(value, item)) {
        const uint64_t both[2] = {all, hash(item)};
        all = XXH3_64bits_withSeed(both, sizeof(both), tag);
      }
      return all;
    }
    case Type::object: break;
  }
  uint64_t all = tag;  // a sum: the order of members does not matter
  std::string scratch;
  for (Ref name = document_.first(value); name != kNone; name = document_.next(value, name)) {
    const std::string_view text = document_.string(name, scratch);
    all += XXH3_64bits_withSeed(text.data(), text.size(), hash(Document::value_of(name)));
  }
  return all;
}

}  // namespace belay::modules::schema
