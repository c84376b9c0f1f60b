// Which source a path belongs to, for thousands of patterns without a scan: a hash table for exact paths and a tree of
// segments for patterns with captures or a prefix. The most specific pattern wins: exact, then captures (a literal
// segment before a capture, from the left), then the longest prefix. Built when rules load, then const. Paths are
// compared as received, undecoded; plain_path() is how they are compared in a second table, for the other readings of a
// backend (README.md). Pure.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"

namespace belay::modules {

// A `match.path` taken apart.
struct PathPattern {
  static constexpr size_t kMaxSegments = 32;

  std::string text;                                        // as written
  std::vector<std::string> segments;                       // literals; empty where a capture stands
  std::vector<std::pair<uint32_t, std::string>> captures;  // segment index → name
  bool prefix = false;                                     // ended in "/*", which is not a segment
  bool exact() const { return captures.empty() && !prefix; }

  // Errors say what to write.
  static Result<PathPattern> parse(std::string_view text);
  // Patterns with the same shape answer the same requests: "/a/{x}" and "/a/{y}".
  std::string shape() const;
  // The same pattern for paths in their plain spelling.
  PathPattern plain() const;
};

class PathTable {
 public:
  PathTable();
  ~PathTable();
  PathTable(PathTable&&) noexcept;

  // `slot` is the caller's number for the pattern; the shape must be new.
  void add(const PathPattern& pattern, uint32_t slot);

  static constexpr uint32_t kNone = UINT32_MAX;
  // An exact path's slot, else kNone.
  uint32_t find_exact(std::string_view path) const;
  // A pattern's slot, else kNone.
  uint32_t find_pattern(std::string_view path) const;
  // The one, else the other.
  uint32_t find(std::string_view path) const;

 private:
  struct Node;
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const;
  };
  std::unordered_map<std::string, uint32_t, Hash, std::equal_to<>> exact_;
  std::unique_ptr<Node> root_;
};

// Splits "/a/b/" into "a" "b" "": what find_pattern and captures count in.
std::string_view segment_at(std::string_view path, size_t index);

// Why a path must not be matched against patterns, or null: dot segments in any spelling, broken escapes, control bytes.
// Such a path can climb out of what the rules let pass.
const char* path_refusal(std::string_view path);

// What all spellings of a path that some server takes for the same have in common: escapes decoded (twice: a backend may
// decode what a proxy before it has decoded), '\\' as '/', segments without their ";parameters", no empty ones, no '/' at
// the end, lower case. A path that is plain already is returned as it is; `room` holds any other.
std::string_view plain_path(std::string_view path, std::string& room);

}  // namespace belay::modules
