// The changes of an Edit as a tree along their paths. Private to src/json.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "json/edit.h"

namespace belay::json {

struct Edit::Node {
  static constexpr uint32_t kNoValue = 0xFFFFFFFF;

  Step step;
  std::string path;  // up to here, as the first change that leads here wrote it: for messages
  uint32_t set = kNoValue;
  bool remove = false;
  bool keep = false;
  bool renamed = false;
  Key new_name;
  std::vector<Node> children;  // elements ascending, `every` alone

  // Of the node or below it, made by finish().
  bool sets = false;     // something may be written
  bool renames = false;  // something is renamed
  bool selects = false;  // something is kept, set or renamed below it

  bool over_elements() const { return !children.empty() && children.front().step.kind != Step::Kind::member; }
};

}  // namespace belay::json
