#include "conf/node.h"

#include <algorithm>
#include <tuple>

#include "conf/node_data.h"

namespace belay::conf {

namespace {

const std::string kNoText;
const std::vector<Node> kNoItems;
const std::vector<Entry> kNoEntries;
const Node kMissing;

std::string line_of(const Problem& problem) {
  std::string line = problem.position.to_string() + ": " + problem.what;
  if (!problem.hint.empty()) line += (problem.hint.front() == '\n' ? "" : "; ") + problem.hint;
  return line;
}

}  // namespace

std::string Position::to_string() const {
  if (line == 0) return file;
  return file + ':' + std::to_string(line) + ':' + std::to_string(column);
}

void Problems::List::add(Problem problem) {
  const auto same = [&](const Problem& other) {
    return other.position.line == problem.position.line && other.position.column == problem.position.column &&
           other.what == problem.what && other.position.file == problem.position.file;
  };
  if (std::any_of(kept.begin(), kept.end(), same)) return;
  if (kept.size() < kMax) {
    kept.push_back(std::move(problem));
  } else {
    ++more;
  }
}

std::string Problems::List::to_string() const {
  std::vector<const Problem*> sorted;
  sorted.reserve(kept.size());
  for (const Problem& problem : kept) sorted.push_back(&problem);
  const auto place = [](const Problem* p) { return std::tie(p->position.file, p->position.line, p->position.column); };
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&](const Problem* a, const Problem* b) { return place(a) < place(b); });
  std::string out;
  for (const Problem* problem : sorted) out += line_of(*problem) + '\n';
  if (more > 0) out += "and " + std::to_string(more) + " more\n";
  return out;
}

void Problems::add(Position position, std::string what, std::string hint) {
  problems_.add({std::move(position), std::move(what), std::move(hint)});
}

void Problems::warn(Position position, std::string what, std::string hint) {
  warnings_.add({std::move(position), std::move(what), std::move(hint)});
}

std::string Problems::to_string() const {
  return problems_.to_string();
}
std::string Problems::warnings_to_string() const {
  return warnings_.to_string();
}

Kind Node::kind() const {
  return data_ != nullptr ? data_->kind : Kind::missing;
}
const std::string& Node::text() const {
  return data_ != nullptr ? data_->text : kNoText;
}
bool Node::quoted() const {
  return data_ != nullptr && data_->quoted;
}
const std::vector<Node>& Node::items() const {
  return data_ != nullptr ? data_->items : kNoItems;
}
const std::vector<Entry>& Node::entries() const {
  return data_ != nullptr ? data_->entries : kNoEntries;
}

const Node& Node::at(std::string_view key) const {
  if (data_ == nullptr) return kMissing;
  const auto& entries = data_->entries;
  const auto found = std::lower_bound(data_->sorted.begin(), data_->sorted.end(), key,
                                      [&](uint32_t i, std::string_view wanted) { return entries[i].key < wanted; });
  return found != data_->sorted.end() && entries[*found].key == key ? entries[*found].value : kMissing;
}

Position Node::position() const {
  if (data_ == nullptr) return {};
  return {data_->document->file(), data_->line, data_->column};
}

const std::string& Node::path() const {
  if (data_ == nullptr || data_->parent == nullptr) return kNoText;
  if (data_->path.empty()) {
    const Data& parent = *data_->parent;
    const std::string& above = Node(&parent).path();
    if (parent.kind == Kind::list) {
      data_->path = above + '[' + std::to_string(data_->index) + ']';
    } else {
      data_->path = (above.empty() ? "" : above + '.') + parent.entries[data_->index].key;
    }
  }
  return data_->path;
}

}  // namespace belay::conf
