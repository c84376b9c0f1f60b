// A payload against a schema, over the parsed text itself: no tree, no exceptions, numbers by their digits. One use, one thread.
// Limits: kMaxSteps (about 100 ns each), kMaxDepth. Failure: the first place that does not fit, as a JSON Pointer (cut at
// kMaxPointer bytes), with the keyword; a payload that needs more work than the limit does not fit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "modules/schema/node.h"

namespace belay::modules::schema {

class Validator {
 public:
  static constexpr uint64_t kMaxSteps = 500'000;
  static constexpr uint32_t kMaxDepth = 400;  // schemas applied inside each other
  static constexpr size_t kMaxPointer = 200;

  explicit Validator(const json::Document& document) : document_(document) {}

  // nullopt: it fits. Else "/order/lines/0/sku: type, expected string".
  std::optional<std::string> validate(const Node& schema);

 private:
  struct Step {
    json::Ref name;  // of a member; kNone: an element
    uint32_t index;
  };

  bool fits(const Node& node, json::Ref value);
  bool fits_inside(const Node& node, json::Ref value);
  bool fits_quietly(const Node& node, json::Ref value);
  bool scalar(const Node& node, json::Ref value);
  bool number(const Node& node, std::string_view raw);
  bool string(const Node& node, json::Ref value);
  bool array(const Node& node, json::Ref value);
  bool unique(json::Ref array);
  bool object(const Node& node, json::Ref value);
  bool member(const Node& node, json::Ref name);
  bool dependents(const Node& node, json::Ref value);
  bool combined(const Node& node, json::Ref value);

  bool step(const Node& node, json::Ref value, Step where);
  bool charge(uint64_t steps);
  // False, so that a check ends with it. `where`: a member that the path does not name yet.
  bool fail(std::string_view keyword, std::string_view more = {}, json::Ref where = json::kNone);
  bool fail_range(const Range& range, size_t count, std::string_view least, std::string_view most);
  std::string pointer(json::Ref last) const;

  bool same(Literal a, Literal b);
  uint64_t hash(json::Ref value);

  const json::Document& document_;
  std::vector<Step> path_;
  uint64_t steps_left_ = kMaxSteps;
  uint32_t depth_ = 0;
  uint32_t quiet_ = 0;  // inside anyOf, oneOf, not, if, contains: a failure there is no answer yet
  bool exhausted_ = false;
  std::string failure_;
};

}  // namespace belay::modules::schema
