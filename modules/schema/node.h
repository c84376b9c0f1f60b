// A JSON Schema as it is evaluated: one Node for every schema in the files, its keywords as fields, references resolved to
// pointers. Made by the Compiler when rules load, owned by a SchemaSet, const afterwards.
#pragma once

#include <re2/re2.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "json/document.h"

namespace belay::modules::schema {

struct Node;

// A value written in a schema file.
struct Literal {
  const json::Document* document = nullptr;
  json::Ref ref = json::kNone;
};

struct Format {
  std::string_view name;
  bool (*matches)(std::string_view text);
};

struct Pattern {
  std::unique_ptr<const re2::RE2> expression;
  const Node* node = nullptr;
};

struct Dependent {
  json::Key property;
  std::vector<json::Key> required;
  const Node* node = nullptr;
};

constexpr uint32_t kNoMaximum = 0xFFFFFFFF;
constexpr uint32_t kIntegerBit = 1U << 8;  // beside 1 << json::Type

struct Range {
  uint32_t least = 0, most = kNoMaximum;
  bool holds(size_t count) const { return count >= least && count <= most; }
};

struct Node {
  bool never = false;            // the schema `false`
  const Node* reference = nullptr;
  uint32_t types = 0;            // 0: any
  std::vector<Literal> among;    // enum
  bool has_enum = false;
  std::optional<Literal> constant;

  // Numbers, as written in the schema.
  std::optional<std::string_view> minimum, maximum, exclusive_minimum, exclusive_maximum, multiple_of;

  Range length;  // of a string, in code points
  std::unique_ptr<const re2::RE2> pattern;
  const Format* format = nullptr;

  Range items_count;
  std::vector<const Node*> prefix_items;
  const Node* items = nullptr;
  const Node* contains = nullptr;
  Range contains_count{1, kNoMaximum};
  bool unique_items = false;

  Range members_count;
  std::vector<std::pair<std::string, const Node*>> properties;  // sorted by name
  std::vector<Pattern> pattern_properties;
  const Node* additional_properties = nullptr;
  const Node* property_names = nullptr;
  std::vector<json::Key> required;
  std::vector<Dependent> dependents;
  bool looks_at_members() const {
    return !properties.empty() || !pattern_properties.empty() || additional_properties != nullptr || property_names != nullptr;
  }

  std::vector<const Node*> all_of, any_of, one_of;
  const Node* negated = nullptr;
  const Node* condition = nullptr;
  const Node* then = nullptr;
  const Node* otherwise = nullptr;
};

// Files and nodes; lives as long as the handlers that use it.
struct SchemaSet {
  std::vector<std::unique_ptr<const json::Document>> documents;
  std::vector<std::unique_ptr<Node>> nodes;
};

}  // namespace belay::modules::schema
