// A rules file as positions and values: the only view of YAML the rest of Belay has (yaml-cpp stays in src/conf/*.cc).
// A Node is a cheap handle into an immutable Document; the Document must outlive its Nodes (the Configuration owns it).
// Reading never throws and never guesses: a problem goes to Problems with file:line:column and a hint, and reading goes
// on, so that one run reports every error of a file set. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace belay::conf {

struct Position {
  std::string file;  // as the user wrote it
  int line = 0;      // from 1; 0 when the whole file is meant
  int column = 0;
  std::string to_string() const;  // "rules.d/acme.yaml:12:7"
};

struct Problem {
  Position position;
  std::string what;  // "unknown key 'pth' in match"
  std::string hint;  // "did you mean 'path'?" or what to write instead; may be empty
};

// Collects every problem of one load, in reading order. The same problem at the same place counts once, so a preset
// used by many sources is reported like any other text.
class Problems {
 public:
  static constexpr size_t kMax = 1000;  // those beyond are only counted

  void add(Position position, std::string what, std::string hint = {});
  // Worth saying, but no reason to refuse: a secret file that everybody may read.
  void warn(Position position, std::string what, std::string hint = {});
  bool empty() const { return problems_.kept.empty(); }
  const std::vector<Problem>& all() const { return problems_.kept; }
  // One line each, "file:line:column: what; hint", sorted by file and position.
  std::string to_string() const;
  std::string warnings_to_string() const;

 private:
  struct List {
    std::vector<Problem> kept;
    size_t more = 0;
    void add(Problem problem);
    std::string to_string() const;
  };
  List problems_, warnings_;
};

enum class Kind : uint8_t { missing, null, scalar, list, map };

struct Entry;

class Node {
 public:
  Node() = default;  // missing

  Kind kind() const;
  bool present() const { return kind() != Kind::missing; }
  bool is_scalar() const { return kind() == Kind::scalar; }
  bool is_list() const { return kind() == Kind::list; }
  bool is_map() const { return kind() == Kind::map; }

  const std::string& text() const;             // the scalar as written, quotes removed; empty unless is_scalar()
  bool quoted() const;                         // "yes" and yes differ for typed readers
  const std::vector<Node>& items() const;      // empty unless is_list()
  const std::vector<Entry>& entries() const;   // in file order; empty unless is_map()
  const Node& at(std::string_view key) const;  // missing Node when absent
  Position position() const;
  // "sources.acme.match.path": where this node stands, for messages and metric labels.
  const std::string& path() const;

 private:
  friend class Document;
  struct Data;
  explicit Node(const Data* data) : data_(data) {}
  const Data* data_ = nullptr;
};

struct Entry {
  std::string key;
  Position key_position;
  Node value;
};

// One parsed file. Refuses duplicate keys, merge keys, tags, aliases of what they stand in, documents after the first,
// tabs, bytes that are not text, and what is beyond these limits. Throws nothing on any bytes.
class Document {
 public:
  static constexpr size_t kMaxFile = size_t{16} << 20;
  static constexpr int kMaxDepth = 64;
  static constexpr size_t kMaxNodes = size_t{2} << 20;  // an alias counts as the values it stands for

  // Null when the text could not be parsed; the reason is in `problems`.
  static std::shared_ptr<const Document> parse(std::string_view text, const std::string& file, Problems& problems);
  static std::shared_ptr<const Document> load(const std::string& path, Problems& problems);

  const Node& root() const { return root_; }
  const std::string& file() const { return file_; }
  ~Document();

 private:
  class Builder;
  explicit Document(std::string file);

  std::string file_;
  Node root_;
  std::vector<std::unique_ptr<Node::Data>> nodes_;
};

}  // namespace belay::conf
