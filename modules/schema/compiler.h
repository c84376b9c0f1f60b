// Schema files to Nodes: JSON Schema 2020-12, the keywords of README.md; every other keyword is refused, not ignored. `$ref` reaches
// into the same file and into others below one folder, never the network. When rules load.
// Limits: kMaxFile, kMaxFiles, kMaxNodes. Failure: complaints with the file and the place in it, all of them.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "modules/schema/node.h"

namespace belay::modules::schema {

class Compiler {
 public:
  static constexpr size_t kMaxFile = size_t{1} << 20;
  static constexpr size_t kMaxFiles = 100;
  static constexpr size_t kMaxNodes = 50'000;

  // References to other files stay below `folder`.
  Compiler(std::string folder, SchemaSet& set) : folder_(std::move(folder)), set_(set) {}

  // The schema that file `path` is (a relative one starts at the folder); null after complaints.
  const Node* compile(const std::string& path);
  // "schemas/order.json#/properties/id: unknown keyword 'typ'; did you mean 'type'?"
  const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  struct File {
    std::string path;   // canonical
    std::string shown;  // as complaints show it
    const json::Document* document;
  };
  // One schema inside a file.
  struct Place {
    const File* file;
    json::Ref ref;
    std::string pointer;
    Place child(std::string_view step, json::Ref value) const;
  };
  struct Keyword;
  static const Keyword kKeywords[];

  const File* open(const std::string& path, bool inside);
  // The schema at a place; filled later.
  Node* schema(const Place& place);
  void fill(Node& node, const Place& place);
  void keyword(Node& node, const Place& place, std::string_view name);
  void complain(const Place& place, std::string what);

  const json::Document& document(const Place& place) const { return *place.file->document; }
  std::string text_of(const Place& place, json::Ref string) const;
  std::vector<const Node*> schemas(const Place& place);
  template <typename Take>
  void members(const Place& place, Take take);
  uint32_t count(const Place& place);
  std::optional<std::string_view> number(const Place& place);
  std::unique_ptr<const re2::RE2> expression(const Place& place, const std::string& text);
  std::vector<json::Key> names(const Place& place);

  void types(Node& node, const Place& place);
  void enumeration(Node& node, const Place& place);
  void reference(Node& node, const Place& place);
  void check_circles();

  std::string folder_;
  SchemaSet& set_;
  std::deque<File> files_;
  std::map<std::pair<const File*, json::Ref>, Node*> known_;
  std::deque<std::pair<Node*, Place>> pending_;
  std::vector<std::string> complaints_;
};

}  // namespace belay::modules::schema
