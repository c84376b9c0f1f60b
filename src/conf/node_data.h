// What a Node points at; private to src/conf. Owned by its Document, immutable once parsed except for the path text,
// which is made when somebody asks for it: most nodes are never named in a message.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "conf/node.h"

namespace belay::conf {

struct Node::Data {
  Kind kind = Kind::null;
  bool quoted = false;
  int line = 1;
  int column = 1;
  uint32_t index = 0;  // among the parent's items or entries
  const Document* document = nullptr;
  const Data* parent = nullptr;
  std::string text;
  std::vector<Node> items;
  std::vector<Entry> entries;
  std::vector<uint32_t> sorted;  // entries by key, repeated keys left out
  mutable std::string path;
};

}  // namespace belay::conf
