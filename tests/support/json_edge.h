// Texts at the edge of JSON, and whether Belay accepts them. Where RFC 8259 leaves the answer to the reader, `open` says so: the
// answer is then a decision of ours that must not change by accident.
#pragma once

#include <string>
#include <vector>

namespace belay::test {

struct JsonEdge {
  std::string name;
  std::string text;
  bool accepted = false;
  bool open = false;
};

// About 170 small ones and, at the end, the large hostile ones of at most `size` bytes each.
std::vector<JsonEdge> json_edges(size_t size);

}  // namespace belay::test
