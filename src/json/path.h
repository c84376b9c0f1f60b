// A place in a JSON value as the rules name it: `metadata.userId`, `lines[0].sku`, `lines[*].sku` (every element),
// `["a.b"].c` or `"a.b".c` (names that hold a dot, a bracket or a quote). Read when rules load. Pure.
// Limits: kMaxPathSteps, kMaxIndex.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/document.h"

namespace belay::json {

inline constexpr size_t kMaxPathSteps = 32;
inline constexpr uint32_t kMaxIndex = 999'999;  // of a list's element

struct Step {
  enum class Kind : uint8_t { member, element, every };
  Kind kind = Kind::member;
  Key name;            // member
  uint32_t index = 0;  // element, from 0
  size_t end = 0;      // where the step ends in the text it was read from
  bool operator==(const Step& other) const {
    return kind == other.kind && index == other.index && name.name == other.name.name;
  }
};

// At least one step; names are UTF-8. Errors say what is wrong and at which byte.
Result<std::vector<Step>> parse_path(std::string_view text);

}  // namespace belay::json
