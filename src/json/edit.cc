// Compiling changes: the tree along their paths, and what contradicts. edit_apply.cc applies them.
#include "json/edit.h"

#include "base/bytes.h"
#include "json/edit_node.h"

namespace belay::json {

Edit::Edit() : root_(std::make_unique<Node>()) {}
Edit::Edit(Edit&&) noexcept = default;
Edit& Edit::operator=(Edit&&) noexcept = default;
Edit::~Edit() = default;

namespace {

std::string quoted(std::string_view path) { return "'" + printable(path, 80) + "'"; }

std::string_view what_ends_at(const Edit::Node& node) { return node.remove ? "remove" : "set"; }

// What set writes and remove takes out has nothing left to change inside.
bool ends(const Edit::Node& node) { return node.remove || node.set != Edit::Node::kNoValue; }

Error inside(std::string_view path, const Edit::Node& above) {
  return invalid(quoted(path) + " lies inside " + quoted(above.path) + ", which " + std::string(what_ends_at(above)) +
                 " names");
}

// The first path of a change below, for messages.
const std::string& some_path_below(const Edit::Node& node) {
  const Edit::Node* at = &node.children.front();
  while (!at->children.empty()) at = &at->children.front();
  return at->path;
}

// Members and elements of one place, or one element and all of them, cannot both be meant.
bool fits_beside(const Edit::Node& parent, const Step& step) {
  if (parent.children.empty()) return true;
  const Step::Kind there = parent.children.front().step.kind;
  return there == step.kind && there != Step::Kind::every;
}

}  // namespace

Result<Edit::Node*> Edit::reach(std::string_view path) {
  if (++changes_ > kMaxChanges) return Error{ErrorKind::full, "more than " + std::to_string(kMaxChanges) + " changes"};
  auto steps = parse_path(path);
  if (!steps) return steps.error();
  Node* at = root_.get();
  for (Step& step : steps.value()) {
    if (ends(*at)) return inside(path, *at);
    const auto found = std::find_if(at->children.begin(), at->children.end(),
                                    [&](const Node& child) { return child.step == step; });
    if (found != at->children.end()) {
      at = &*found;
      continue;
    }
    if (!fits_beside(*at, step)) {
      return invalid(quoted(path) + " and " + quoted(at->children.front().path) +
                     " cannot stand together: name either members, or elements by number, or every element");
    }
    const auto place = std::find_if(at->children.begin(), at->children.end(), [&](const Node& child) {
      return step.kind == Step::Kind::element && child.step.index > step.index;
    });
    Node child;
    child.path = path.substr(0, step.end);
    child.step = std::move(step);
    at = &*at->children.insert(place, std::move(child));
  }
  return at;
}

Result<void> Edit::set(std::string_view path) {
  const uint32_t value = sets_++;
  const auto node = reach(path);
  if (!node) return node.error();
  Node& at = **node;
  if (ends(at)) return invalid(quoted(path) + " is named by " + std::string(what_ends_at(at)) + " already");
  at.set = value;
  if (!at.children.empty()) return inside(some_path_below(at), at);
  return {};
}

Result<void> Edit::remove(std::string_view path) {
  const auto node = reach(path);
  if (!node) return node.error();
  Node& at = **node;
  if (ends(at) || at.keep || at.renamed) {
    return invalid(quoted(path) + " is named by " + std::string(at.keep ? "keep" : at.renamed ? "rename" : what_ends_at(at)) +
                   " already");
  }
  at.remove = true;
  if (!at.children.empty()) return inside(some_path_below(at), at);
  return {};
}

Result<void> Edit::rename(std::string_view path, std::string_view name) {
  const auto node = reach(path);
  if (!node) return node.error();
  Node& at = **node;
  if (at.step.kind != Step::Kind::member) return invalid(quoted(path) + " is an element: only members have names");
  if (at.remove || at.renamed) {
    return invalid(quoted(path) + " is named by " + std::string(at.remove ? "remove" : "rename") + " already");
  }
  if (!is_utf8(name)) return invalid(quoted(name) + " is no name: it is not UTF-8");
  at.renamed = true;
  at.new_name = Key(name);
  return {};
}

Result<void> Edit::keep(std::string_view path) {
  const auto node = reach(path);
  if (!node) return node.error();
  Node& at = **node;
  if (at.remove) return invalid(quoted(path) + " is named by remove already");
  at.keep = keeps_ = true;
  return {};
}

namespace {

// Two members would end up with one name whatever the text is.
Result<void> check_names(const Edit::Node& parent) {
  for (const Edit::Node& child : parent.children) {
    if (!child.renamed) continue;
    for (const Edit::Node& other : parent.children) {
      if (&other == &child || other.remove) continue;
      const bool same_target = other.renamed && other.new_name.name == child.new_name.name;
      const bool written = !other.renamed && other.sets && other.step.name.name == child.new_name.name;
      if (same_target || written) {
        return invalid("both " + quoted(child.path) + " and " + quoted(other.path) + " would become " +
                       quoted(child.new_name.name));
      }
    }
  }
  return {};
}

Result<void> finish_node(Edit::Node& node) {
  for (Edit::Node& child : node.children) {
    if (auto done = finish_node(child); !done) return done;
    node.sets = node.sets || child.sets;
    node.renames = node.renames || child.renames;
    node.selects = node.selects || child.selects || child.keep || child.renamed || child.set != Edit::Node::kNoValue;
  }
  if (auto done = check_names(node); !done) return done;
  node.sets = node.sets || node.set != Edit::Node::kNoValue;
  node.renames = node.renames || node.renamed;
  return {};
}

}  // namespace

Result<void> Edit::finish() { return finish_node(*root_); }

}  // namespace belay::json
