// A value as rules write it: a YAML tree whose texts are templates. Numbers, true, false and null without quotes are JSON's
// own; everything else is text; a text that is one hole alone is the hole's value, payload values byte for byte. Members come in
// the order written. Compiled when rules load, const and shared afterwards.
// Limits: kMaxMembers; rules::kMaxResult bytes of JSON. Failure: the error of a template, with its place in the rules.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "conf/node.h"
#include "json/document.h"
#include "rules/template.h"

namespace belay::modules {

// What becomes of a template that names an absent path: the transform fails, or its value is null, or left out.
enum class Missing : uint8_t { error, null, omit };

class Shape {
 public:
  static constexpr size_t kMaxMembers = 10'000;  // of the whole tree

  static std::unique_ptr<Shape> read(const conf::Node& node, conf::Problems& problems);
  ~Shape();

  // Appends JSON. False: the value is to be left out, and nothing was written.
  Result<bool> append_json(rules::Context& context, Missing missing, std::string& out) const;
  // The value, in the context's arena, for the other forms of writing it. False as above.
  Result<bool> value(rules::Context& context, Missing missing, rules::Value& out) const;

 private:
  enum class Kind : uint8_t { constant, dynamic, map, list };
  struct Member {
    std::string name;  // as a JSON string with the colon behind it: "id":
    std::string plain_name;
    std::unique_ptr<Shape> shape;
  };

  Shape() = default;
  static std::unique_ptr<Shape> read(const conf::Node& node, conf::Problems& problems, size_t& members);
  bool read_scalar(const conf::Node& node, conf::Problems& problems);
  bool read_members(const conf::Node& node, conf::Problems& problems, size_t& members);
  Result<bool> run(rules::Context& context, Missing missing, rules::Value& out) const;
  std::string place() const;

  Kind kind_ = Kind::constant;
  std::unique_ptr<const json::Document> constant_;
  std::unique_ptr<rules::Template> dynamic_;
  std::vector<Member> members_;  // of a list: without names
};

}  // namespace belay::modules
