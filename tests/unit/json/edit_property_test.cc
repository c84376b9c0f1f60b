// Random texts and random changes: what json::Edit makes of the bytes against the same changes made to a tree.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "json/edit.h"

using namespace belay;
using json::Document;
using json::Edit;
using json::kNone;
using json::Ref;
using json::Type;

namespace {

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>(engine_() % bound); }
  bool one_in(uint32_t n) { return below(n) == 0; }
  template <typename T>
  const T& of(const std::vector<T>& choices) {
    return choices[below(static_cast<uint32_t>(choices.size()))];
  }

 private:
  std::mt19937 engine_;
};

const std::vector<std::string> kNames = {"a", "b", "c", "a.b", "d[0]", "\u00e9", "", "x y"};
// The same names as they may stand in a text.
std::string written(const std::string& name, Random& random) {
  if (name == "\u00e9" && random.one_in(2)) return "\"\\u00e9\"";
  if (name == "a" && random.one_in(4)) return "\"\\u0061\"";
  return '"' + name + '"';
}

std::string space(Random& random) { return random.of<std::string>({"", "", "", " ", "\n  ", "\t"}); }

void append_value(Random& random, int depth, std::string& out) {
  static const std::vector<std::string> kScalars = {"1", "-0", "100.10", "1e2", "12345678901234567890123", "true", "false", "null",
                                                    "\"\"", "\"text, {}[]\"", "\"\\u0000\\\"\\/\"", "\"\u00e9 :\\\\\""};
  const uint32_t kind = random.below(depth > 3 ? 1 : 3);
  if (kind == 0) {
    out += random.of(kScalars);
    return;
  }
  out += kind == 1 ? "{" : "[";
  out += space(random);
  std::vector<std::string> names = kNames;
  const uint32_t count = random.below(5);
  for (uint32_t i = 0; i < count; ++i) {
    if (i > 0) out += "," + space(random);
    if (kind == 1) {
      const uint32_t chosen = random.below(static_cast<uint32_t>(names.size()));
      out += written(names[chosen], random) + space(random) + ":" + space(random);
      names.erase(names.begin() + chosen);
    }
    append_value(random, depth + 1, out);
    out += space(random);
  }
  out += kind == 1 ? "}" : "]";
}

// The model: a tree with the changes noted at its places.
struct Tree {
  Type type = Type::null;
  std::string name, raw;  // raw: of the whole value as it came
  std::vector<std::unique_ptr<Tree>> children;
  bool remove = false, keep = false, made = false, touched = false;
  bool narrowed = false, way = false;  // keep, set or rename names something inside; and it may hold that
  std::optional<std::string> set, new_name;
  bool inside() const { return type == Type::object || type == Type::array; }
};

std::unique_ptr<Tree> tree_of(const Document& document, Ref ref) {
  auto tree = std::make_unique<Tree>();
  tree->type = document.type(ref);
  tree->raw = document.raw(ref);
  if (!tree->inside()) return tree;
  for (Ref at = document.first(ref); at != kNone; at = document.next(ref, at)) {
    const bool object = tree->type == Type::object;
    auto child = tree_of(document, object ? Document::value_of(at) : at);
    std::string scratch;
    if (object) child->name = document.string(at, scratch);
    tree->children.push_back(std::move(child));
  }
  return tree;
}

struct Refused {};

// Every place a path leads to; with `make`, members on the way are made; `select`: what is on the way stays under keep.
std::vector<Tree*> places(Tree& root, const std::vector<json::Step>& path, bool make, bool select) {
  std::vector<Tree*> at = {&root};
  for (const json::Step& step : path) {
    std::vector<Tree*> next;
    for (Tree* tree : at) {
      const bool member = step.kind == json::Step::Kind::member;
      if (make && tree->type == Type::null && member) tree->type = Type::object;  // {} in place of null
      tree->narrowed = tree->narrowed || select;
      if (tree->type != (member ? Type::object : Type::array)) {
        if (make) throw Refused();
        continue;
      }
      tree->way = tree->way || select;
      const size_t before = next.size();
      for (size_t i = 0; i < tree->children.size(); ++i) {
        Tree* child = tree->children[i].get();
        const bool meant = member ? child->name == step.name.name : step.kind == json::Step::Kind::every || step.index == i;
        if (meant) next.push_back(child);
      }
      if (next.size() > before || !make || step.kind == json::Step::Kind::every) continue;
      if (!member) throw Refused();
      auto child = std::make_unique<Tree>();
      child->name = step.name.name;
      child->made = true;
      next.push_back(child.get());
      tree->children.push_back(std::move(child));
    }
    at = std::move(next);
  }
  return at;
}

bool note_touched(Tree& tree) {
  tree.touched = tree.remove || tree.set || tree.new_name || tree.made;
  for (const auto& child : tree.children) tree.touched = note_touched(*child) || tree.touched;
  return tree.touched;
}

// `result` is what the model says it must be.
void compare(const Tree& tree, bool filter, const Document& document, Ref result) {
  if (tree.set) {
    CHECK_EQ(document.raw(result), *tree.set);
    return;
  }
  if (!filter && !tree.touched) {
    CHECK_EQ(document.raw(result), tree.raw);
    return;
  }
  REQUIRE_EQ(document.type(result), tree.type);
  if (!tree.inside()) {
    CHECK_EQ(document.raw(result), tree.raw);
    return;
  }
  Ref at = document.first(result);
  for (const auto& child : tree.children) {
    const bool named = child->keep || child->set || (child->narrowed ? child->way : child->new_name.has_value());
    if (child->remove || (filter && !named)) continue;
    REQUIRE_NE(at, kNone);
    std::string scratch;
    if (tree.type == Type::object) CHECK_EQ(document.string(at, scratch), child->new_name.value_or(child->name));
    compare(*child, filter && !child->keep && child->narrowed, document, tree.type == Type::object ? Document::value_of(at) : at);
    at = document.next(result, at);
  }
  CHECK_EQ(at, kNone);
}

std::string random_path(Random& random) {
  static const std::vector<std::string> kFirst = {"a", "b", "c", "[\"a.b\"]", "\"d[0]\"", "\u00e9", "[0]", "[1]", "[*]", "new", "x y"};
  static const std::vector<std::string> kLater = {".a", ".b", ".c", "[\"a.b\"]", "[\"\"]", ".\u00e9", "[0]", "[2]", "[*]", ".new"};
  std::string path = random.of(kFirst);
  for (uint32_t steps = random.below(3); steps > 0; --steps) path += random.of(kLater);
  return path;
}

struct Case {
  Edit edit;
  std::vector<std::string> values;
  bool keeps = false;
  // The change again, for the model.
  struct Change {
    enum class Kind : uint8_t { set, remove, rename, keep } kind;
    std::string path, argument;
  };
  std::vector<Change> changes;
};

// Nothing when the changes contradict each other. Values are set first: members are added in the order they are first named.
std::optional<Case> random_case(Random& random) {
  using Kind = Case::Change::Kind;
  Case made;
  for (uint32_t count = 1 + random.below(4); count > 0; --count) {
    made.changes.push_back({static_cast<Kind>(random.below(4)), random_path(random), {}});
  }
  std::stable_sort(made.changes.begin(), made.changes.end(), [](const auto& a, const auto& b) { return a.kind < b.kind; });
  for (Case::Change& change : made.changes) {
    bool good = false;
    switch (change.kind) {
      case Kind::set:
        change.argument = random.of<std::string>({"{\"v\": 1}", "\"new\"", "17.0", "[]"});
        good = made.edit.set(change.path).ok();
        made.values.push_back(change.argument);
        break;
      case Kind::remove: good = made.edit.remove(change.path).ok(); break;
      case Kind::rename:
        change.argument = random.of<std::string>({"a", "b", "renamed", "q\"\\"});
        good = made.edit.rename(change.path, change.argument).ok();
        break;
      case Kind::keep:
        good = made.edit.keep(change.path).ok();
        made.keeps = true;
        break;
    }
    if (!good) return std::nullopt;
  }
  if (!made.edit.finish()) return std::nullopt;
  return made;
}

void note(Tree& root, const Case::Change& change) {
  using Kind = Case::Change::Kind;
  const auto path = json::parse_path(change.path);
  REQUIRE(path.ok());
  for (Tree* place : places(root, *path, change.kind == Kind::set, change.kind != Kind::remove)) {
    switch (change.kind) {
      case Kind::set: place->set = change.argument; break;
      case Kind::remove: place->remove = true; break;
      case Kind::rename: place->new_name = change.argument; break;
      case Kind::keep: place->keep = true; break;
    }
  }
}

}  // namespace

TEST_CASE("an_edited_text_is_what_the_changes_make_of_a_tree_and_untouched_parts_keep_their_bytes") {
  int applied = 0, refused = 0;
  for (uint32_t seed = 0; seed < 60'000; ++seed) {
    Random random(seed);
    std::string text = space(random);
    append_value(random, 0, text);
    text += space(random);
    auto changes = random_case(random);
    if (!changes) continue;
    const auto document = Document::parse(text);
    REQUIRE(document.ok());
    const std::vector<std::string_view> values(changes->values.begin(), changes->values.end());
    std::string out;
    const auto done = changes->edit.apply(**document, values, Edit::Absent::ignore, out);
    std::string story = "seed " + std::to_string(seed) + "\n" + text + "\n" + out;
    for (const auto& change : changes->changes) story += "\n" + std::to_string(static_cast<int>(change.kind)) + " " + change.path;
    CAPTURE(story);
    const auto root = tree_of(**document, 0);
    bool possible = true;
    try {
      for (const auto& change : changes->changes) note(*root, change);
    } catch (const Refused&) {
      possible = false;
    }
    if (!done) {
      // A member's new name may be taken, or keep may find nothing at the root: the model does not look for that.
      const bool other = done.error().message.find("already") != std::string::npos || done.error().message.find("keep") != std::string::npos;
      CHECK_MESSAGE((other || !possible), done.error().message);
      ++refused;
      continue;
    }
    REQUIRE(possible);
    note_touched(*root);
    const auto result = Document::parse(out);
    REQUIRE_MESSAGE(result.ok(), (result ? std::string() : result.error().message));
    compare(*root, changes->keeps, **result, 0);
    ++applied;
  }
  // The random changes are not all of one sort.
  CHECK_GT(applied, 10'000);
  CHECK_GT(refused, 1'000);
}
