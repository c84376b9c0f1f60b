// The only place that talks to yaml-cpp: its event stream becomes our nodes, its exceptions become problems. What
// yaml-cpp does not bound or refuse itself (line length, bytes that are not text, open quotes, tags, documents after
// the first) is refused here, before or while it reads.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <istream>
#include <streambuf>
#include <unordered_map>
#include <utility>

#include "base/bytes.h"
#include "conf/node_data.h"
#include "conf/text_scan.h"

namespace belay::conf {

// Receives yaml-cpp's events. Stopped throws through yaml-cpp, whose own code is exception-safe, and is caught in
// parse().
class Document::Builder final : public YAML::EventHandler {
 public:
  struct Stopped {
    YAML::Mark mark;
    std::string what, hint;
  };

  Builder(Document& document, std::string_view text, Problems& problems)
      : document_(document), lines_(text), problems_(problems) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (document_.root_.present()) {
      throw Stopped{mark, "a second document starts here",
                    "one file holds one document; remove the line '---' before it"};
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node::Data* data = make(Kind::null, mark);
    // The mark of an absent value is the next token's; people look beside the key.
    if (!open_.empty() && open_.back().key.has_value()) std::tie(data->line, data->column) = open_.back().key->at;
    finish(data, anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_tag(mark, tag);
    Node::Data* data = make(Kind::scalar, mark);
    data->text = value;
    data->quoted = tag == "!";
    if (data->quoted && !lines_.quote_closed(data->line, data->column)) {
      throw Stopped{mark, "this quote is never closed", "end the value with the same quote"};
    }
    finish(data, anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw Stopped{mark, "this alias stands inside what it names", "write the value out"};
    attach(copy(*found->second, mark));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open(Kind::list, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open(Kind::map, mark, tag, anchor);
  }
  void OnMapEnd() override {
    index_keys(open_.back().data);
    close();
  }

 private:
  struct Key {
    std::string text;
    std::pair<int, int> at;
  };
  struct Open {
    Node::Data* data;
    YAML::anchor_t anchor;
    std::optional<Key> key;  // read, its value comes next
    bool skip_value = false;
  };

  Node::Data* make(Kind kind, const YAML::Mark& mark) {
    if (document_.nodes_.size() >= kMaxNodes) {
      throw Stopped{mark, "more than " + std::to_string(kMaxNodes) + " values, aliases counted each time",
                    "split the file"};
    }
    auto data = std::make_unique<Node::Data>();
    data->kind = kind;
    data->document = &document_;
    data->line = mark.line + 1;
    data->column = mark.column + 1;
    document_.nodes_.push_back(std::move(data));
    return document_.nodes_.back().get();
  }

  static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    constexpr std::string_view kCore = "tag:yaml.org,2002:";  // what '!!' stands for
    const std::string written = tag.starts_with(kCore) ? "!!" + tag.substr(kCore.size()) : tag;
    throw Stopped{mark, "tag '" + printable(written, 60) + "' is not used in rules files",
                  "remove it, or put a value that begins with '!' in quotes"};
  }

  void open(Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    refuse_tag(mark, tag);
    if (open_.size() >= static_cast<size_t>(kMaxDepth)) {
      throw Stopped{mark, "nested deeper than " + std::to_string(kMaxDepth) + " levels", "flatten it"};
    }
    if (!open_.empty() && open_.back().data->kind == Kind::map && !open_.back().key && !open_.back().skip_value) {
      refuse_key(mark);
    }
    open_.push_back({make(kind, mark), anchor, std::nullopt});
  }

  [[noreturn]] static void refuse_key(const YAML::Mark& mark) {
    throw Stopped{mark, "a key must be a word",
                  "a value that begins with '{', '[', '*' or '?' needs quotes, for example \"{{ order.id }}\""};
  }

  void close() {
    const Open done = std::move(open_.back());
    open_.pop_back();
    finish(done.data, done.anchor);
  }

  void finish(Node::Data* data, YAML::anchor_t anchor) {
    if (anchor != 0) anchors_[anchor] = data;
    attach(data);
  }

  void attach(Node::Data* data) {
    if (open_.empty()) {
      document_.root_ = Node(data);
      return;
    }
    Open& parent = open_.back();
    if (parent.data->kind == Kind::list) {
      adopt(parent.data, data);
      parent.data->items.push_back(Node(data));
      return;
    }
    if (!parent.key) {
      YAML::Mark mark;
      mark.line = data->line - 1;
      mark.column = data->column - 1;
      if (data->kind != Kind::scalar) refuse_key(mark);
      if (data->text == "<<" && !data->quoted) {
        throw Stopped{mark, "merge keys ('<<') are not read", "write the keys out, or share them as a preset"};
      }
      parent.key = Key{std::move(data->text), {data->line, data->column}};
      document_.nodes_.pop_back();  // a key is not a node; it was made last
      return;
    }
    adopt(parent.data, data);
    const Key key = std::move(*parent.key);
    parent.key.reset();
    parent.data->entries.push_back({key.text, {document_.file_, key.at.first, key.at.second}, Node(data)});
  }

  static void adopt(Node::Data* parent, Node::Data* child) {
    child->parent = parent;
    child->index = static_cast<uint32_t>(parent->kind == Kind::list ? parent->items.size() : parent->entries.size());
  }

  // An alias stands for a copy, so that every node has one parent and the total is bounded by kMaxNodes. Positions stay
  // those of the anchor: that is where the value is written. Recursion is bounded by kMaxDepth.
  Node::Data* copy(const Node::Data& from, const YAML::Mark& mark) {
    Node::Data* to = make(from.kind, mark);
    to->line = from.line;
    to->column = from.column;
    to->quoted = from.quoted;
    to->text = from.text;
    to->sorted = from.sorted;
    for (const Node& item : from.items) {
      Node::Data* child = copy(*item.data_, mark);
      adopt(to, child);
      to->items.push_back(Node(child));
    }
    for (const Entry& entry : from.entries) {
      Node::Data* child = copy(*entry.value.data_, mark);
      adopt(to, child);
      to->entries.push_back({entry.key, entry.key_position, Node(child)});
    }
    return to;
  }

  // Sorts the keys for at() and reports those written twice; the first one counts.
  void index_keys(Node::Data* map) {
    auto& sorted = map->sorted;
    sorted.resize(map->entries.size());
    for (uint32_t i = 0; i < sorted.size(); ++i) sorted[i] = i;
    const auto& entries = map->entries;
    std::stable_sort(sorted.begin(), sorted.end(),
                     [&](uint32_t a, uint32_t b) { return entries[a].key < entries[b].key; });
    const auto same = [&](uint32_t first, uint32_t later) {
      if (entries[first].key != entries[later].key) return false;
      const Position& at = entries[first].key_position;
      problems_.add(entries[later].key_position, "key '" + printable(entries[later].key, 60) + "' is written twice",
                    "the first one is in line " + std::to_string(at.line) + "; keep one");
      return true;
    };
    sorted.erase(std::unique(sorted.begin(), sorted.end(), same), sorted.end());
  }

  Document& document_;
  const TextLines lines_;
  Problems& problems_;
  std::vector<Open> open_;
  std::unordered_map<YAML::anchor_t, const Node::Data*> anchors_;
};

namespace {

// yaml-cpp's words for what it met, in ours. It stops at the first one, often a line after the cause.
struct Translation {
  std::string_view theirs, what, hint;
};
constexpr Translation kTranslations[] = {
    {"illegal map value", "a ': ' stands where no key can be",
     "quote a value that contains ': '; the line before may lack its ':' or its quotes"},
    {"illegal map key", "a key cannot stand here", "put it on its own line, indented like its neighbours"},
    {"illegal block entry", "a '- ' cannot stand here", "put each list item on its own line"},
    {"end of map not found", "the indentation does not fit the lines above",
     "indent keys of one mapping by the same number of spaces"},
    {"end of sequence not found", "the indentation does not fit the list above",
     "indent '- ' of one list by the same number of spaces"},
    {"end of map flow not found", "a '{' is never closed", "write '}' at its end"},
    {"end of sequence flow not found", "a '[' is never closed", "write ']' at its end and ',' between items; an item that holds brackets or quotes stands in quotes"},
    {"unknown token", "a value cannot begin with this character", "put the value in quotes"},
    {"illegal tab when looking for indentation", "tab in the indentation", "indent with spaces"},
    {"the referenced anchor is not defined", "this alias names no anchor above it",
     "put a value that begins with '*' in quotes"},
    {"alias not found after *", "a value cannot begin with this character", "put the value in quotes"},
    {"anchor not found after &", "a value cannot begin with this character", "put the value in quotes"},
    {"illegal EOF in scalar", "the file ends inside a quoted value", "close the quote"},
    {"illegal document indicator in scalar", "'---' or '...' inside a quoted value", "close the quote before it"},
    {"unknown escape character: ", "unknown escape after '\\' in a double-quoted value",
     "write '\\\\' for a backslash, or use single quotes"},
    {"bad character found while scanning hex number", "a '\\' begins an escape in a double-quoted value",
     "write '\\\\' for a backslash, or use single quotes"},
    {"bad file", "nested too deeply", "flatten it"},
};

void report(const YAML::Exception& error, const std::string& file, Problems& problems) {
  const Position position{file, std::max(error.mark.line, 0) + 1, std::max(error.mark.column, 0) + 1};
  for (const Translation& known : kTranslations) {
    if (error.msg.starts_with(known.theirs)) {
      return problems.add(position, std::string(known.what), std::string(known.hint));
    }
  }
  problems.add(position, "not valid YAML: " + printable(error.msg, 120));
}

// Lets yaml-cpp read the caller's bytes without a copy.
class ViewBuffer final : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // streambuf's interface; a get area is only read
    setg(begin, begin, begin + text.size());
  }
};

}  // namespace

Document::Document(std::string file) : file_(std::move(file)) {}
Document::~Document() = default;

std::shared_ptr<const Document> Document::parse(std::string_view text, const std::string& file, Problems& problems) {
  if (const auto wrong = find_unreadable(text)) {
    problems.add({file, wrong->line, wrong->column}, wrong->what, wrong->hint);
    return nullptr;
  }
  std::shared_ptr<Document> document(new Document(file));
  Builder builder(*document, text, problems);
  try {
    ViewBuffer buffer(text);
    std::istream stream(&buffer);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) continue;
  } catch (const Builder::Stopped& stopped) {
    problems.add({file, stopped.mark.line + 1, stopped.mark.column + 1}, stopped.what, stopped.hint);
    return nullptr;
  } catch (const YAML::Exception& error) {
    report(error, file, problems);
    return nullptr;
  } catch (const std::exception& error) {  // bad_alloc and what else a library may throw
    problems.add({file}, std::string("cannot be read: ") + printable(error.what(), 120));
    return nullptr;
  }
  if (!document->root_.present()) {
    auto data = std::make_unique<Node::Data>();
    data->document = document.get();
    document->nodes_.push_back(std::move(data));
    document->root_ = Node(document->nodes_.back().get());
  }
  return document;
}

std::shared_ptr<const Document> Document::load(const std::string& path, Problems& problems) {
  const auto text = read_file(path, kMaxFile);
  if (!text) {
    problems.add({path}, "cannot be read: " + text.error().message, "check the name and who may read it");
    return nullptr;
  }
  return parse(*text, path, problems);
}

}  // namespace belay::conf
