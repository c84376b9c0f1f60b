#include "modules/schema/compiler.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/bytes.h"
#include "conf/section.h"
#include "http/url.h"
#include "json/number.h"
#include "modules/schema/formats.h"

namespace belay::modules::schema {

using json::Document;
using json::kNone;
using json::Ref;
using json::Type;

namespace {

constexpr std::string_view kDialect = "https://json-schema.org/draft/2020-12/schema";

// One step of a JSON Pointer (RFC 6901).
std::string escaped(std::string_view step) {
  std::string out;
  for (const char c : step) c == '~' ? out += "~0" : c == '/' ? out += "~1" : out += c;
  return out;
}

std::string unescaped(std::string_view step) {
  std::string out;
  for (size_t i = 0; i < step.size(); ++i) {
    const bool tilde = step[i] == '~' && i + 1 < step.size() && (step[i + 1] == '0' || step[i + 1] == '1');
    out += tilde ? (step[i + 1] == '0' ? '~' : '/') : step[i];
    if (tilde) ++i;
  }
  return out;
}

}  // namespace

// What a keyword does to its node; nullptr: an annotation, which says nothing about values.
struct Compiler::Keyword {
  std::string_view name;
  void (*take)(Compiler& compiler, Node& node, const Place& at);
};

// RULE: a table longer than a screen, because it is the list of what is supported.
const Compiler::Keyword Compiler::kKeywords[] = {
    {"$comment", nullptr}, {"title", nullptr}, {"description", nullptr}, {"default", nullptr}, {"examples", nullptr},
    {"deprecated", nullptr}, {"readOnly", nullptr}, {"writeOnly", nullptr}, {"contentEncoding", nullptr}, {"contentMediaType", nullptr},
    {"$schema", [](Compiler& c, Node&, const Place& at) {
       const std::string name = c.text_of(at, at.ref);
       if (name != kDialect && name != std::string(kDialect) + "#") c.complain(at, "only JSON Schema 2020-12 is read; write \"$schema\": \"" + std::string(kDialect) + '"');
     }},
    {"$id", [](Compiler& c, Node&, const Place& at) {
       if (at.pointer != "/$id") c.complain(at, "$id may stand at the top of a file only; refer to \"#/…\" or \"FILE#/…\"");
     }},
    {"$ref", [](Compiler& c, Node& n, const Place& at) { c.reference(n, at); }},
    {"$defs", [](Compiler& c, Node&, const Place& at) { c.members(at, [&](std::string, const Place& child) { c.schema(child); }); }},
    {"definitions", [](Compiler& c, Node&, const Place& at) { c.members(at, [&](std::string, const Place& child) { c.schema(child); }); }},
    {"type", [](Compiler& c, Node& n, const Place& at) { c.types(n, at); }},
    {"enum", [](Compiler& c, Node& n, const Place& at) { c.enumeration(n, at); }},
    {"const", [](Compiler&, Node& n, const Place& at) { n.constant = Literal{at.file->document, at.ref}; }},
    {"minimum", [](Compiler& c, Node& n, const Place& at) { n.minimum = c.number(at); }},
    {"maximum", [](Compiler& c, Node& n, const Place& at) { n.maximum = c.number(at); }},
    {"exclusiveMinimum", [](Compiler& c, Node& n, const Place& at) { n.exclusive_minimum = c.number(at); }},
    {"exclusiveMaximum", [](Compiler& c, Node& n, const Place& at) { n.exclusive_maximum = c.number(at); }},
    {"multipleOf", [](Compiler& c, Node& n, const Place& at) {
       n.multiple_of = c.number(at);
       if (n.multiple_of && json::compare_numbers(*n.multiple_of, "0") <= 0) {
         c.complain(at, "expected a number above 0");
         n.multiple_of.reset();
       }
     }},
    {"minLength", [](Compiler& c, Node& n, const Place& at) { n.length.least = c.count(at); }},
    {"maxLength", [](Compiler& c, Node& n, const Place& at) { n.length.most = c.count(at); }},
    {"pattern", [](Compiler& c, Node& n, const Place& at) { n.pattern = c.expression(at, c.text_of(at, at.ref)); }},
    {"format", [](Compiler& c, Node& n, const Place& at) {
       const std::string name = c.text_of(at, at.ref);
       n.format = find_format(name);
       if (n.format == nullptr) c.complain(at, "format '" + printable(name, 40) + "' is not one that is checked (" + format_names() + "); remove it");
     }},
    {"minItems", [](Compiler& c, Node& n, const Place& at) { n.items_count.least = c.count(at); }},
    {"maxItems", [](Compiler& c, Node& n, const Place& at) { n.items_count.most = c.count(at); }},
    {"prefixItems", [](Compiler& c, Node& n, const Place& at) { n.prefix_items = c.schemas(at); }},
    {"items", [](Compiler& c, Node& n, const Place& at) {
       if (c.document(at).type(at.ref) == Type::array) return c.complain(at, "a list of schemas is called prefixItems in 2020-12");
       n.items = c.schema(at);
     }},
    {"contains", [](Compiler& c, Node& n, const Place& at) { n.contains = c.schema(at); }},
    {"minContains", [](Compiler& c, Node& n, const Place& at) { n.contains_count.least = c.count(at); }},
    {"maxContains", [](Compiler& c, Node& n, const Place& at) { n.contains_count.most = c.count(at); }},
    {"uniqueItems", [](Compiler& c, Node& n, const Place& at) {
       if (c.document(at).type(at.ref) != Type::boolean) return c.complain(at, "expected true or false");
       n.unique_items = c.document(at).boolean(at.ref);
     }},
    {"minProperties", [](Compiler& c, Node& n, const Place& at) { n.members_count.least = c.count(at); }},
    {"maxProperties", [](Compiler& c, Node& n, const Place& at) { n.members_count.most = c.count(at); }},
    {"properties", [](Compiler& c, Node& n, const Place& at) {
       c.members(at, [&](std::string name, const Place& child) { n.properties.emplace_back(std::move(name), c.schema(child)); });
       std::sort(n.properties.begin(), n.properties.end());
     }},
    {"patternProperties", [](Compiler& c, Node& n, const Place& at) {
       c.members(at, [&](const std::string& pattern, const Place& child) {
         auto expression = c.expression(child, pattern);
         const Node* node = c.schema(child);
         if (expression) n.pattern_properties.push_back({std::move(expression), node});
       });
     }},
    {"additionalProperties", [](Compiler& c, Node& n, const Place& at) { n.additional_properties = c.schema(at); }},
    {"propertyNames", [](Compiler& c, Node& n, const Place& at) { n.property_names = c.schema(at); }},
    {"required", [](Compiler& c, Node& n, const Place& at) { n.required = c.names(at); }},
    {"dependentRequired", [](Compiler& c, Node& n, const Place& at) {
       c.members(at, [&](const std::string& name, const Place& child) { n.dependents.push_back({json::Key(name), c.names(child), nullptr}); });
     }},
    {"dependentSchemas", [](Compiler& c, Node& n, const Place& at) {
       c.members(at, [&](const std::string& name, const Place& child) { n.dependents.push_back({json::Key(name), {}, c.schema(child)}); });
     }},
    {"allOf", [](Compiler& c, Node& n, const Place& at) { n.all_of = c.schemas(at); }},
    {"anyOf", [](Compiler& c, Node& n, const Place& at) { n.any_of = c.schemas(at); }},
    {"oneOf", [](Compiler& c, Node& n, const Place& at) { n.one_of = c.schemas(at); }},
    {"not", [](Compiler& c, Node& n, const Place& at) { n.negated = c.schema(at); }},
    {"if", [](Compiler& c, Node& n, const Place& at) { n.condition = c.schema(at); }},
    {"then", [](Compiler& c, Node& n, const Place& at) { n.then = c.schema(at); }},
    {"else", [](Compiler& c, Node& n, const Place& at) { n.otherwise = c.schema(at); }},
};

Compiler::Place Compiler::Place::child(std::string_view step, Ref value) const { return {file, value, pointer + "/" + escaped(step)}; }

void Compiler::complain(const Place& place, std::string what) {
  complaints_.push_back(place.file->shown + "#" + printable(place.pointer) + ": " + std::move(what));
}

std::string Compiler::text_of(const Place& place, Ref string) const {
  std::string scratch;
  return document(place).type(string) == Type::string ? std::string(document(place).string(string, scratch)) : std::string();
}

const Compiler::File* Compiler::open(const std::string& path, bool inside) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path whole = fs::path(path).is_absolute() ? fs::path(path) : fs::path(folder_) / path;
  const std::string canonical = fs::weakly_canonical(whole, error).string();
  const std::string home = fs::weakly_canonical(folder_, error).string() + "/";
  const std::string shown = canonical.starts_with(home) ? canonical.substr(home.size()) : path;
  for (const File& file : files_) {
    if (file.path == canonical) return &file;
  }
  const auto failed = [&](const std::string& why) -> const File* {
    complaints_.push_back(shown + ": " + why);
    return nullptr;
  };
  if (inside && !canonical.starts_with(home)) return failed("lies outside of the rules' folder; copy it there");
  if (files_.size() == kMaxFiles) return failed("one more than " + std::to_string(kMaxFiles) + " schema files");
  auto text = read_file(canonical, kMaxFile);
  if (!text) return failed(text.error().message);
  auto parsed = Document::parse_owned(std::move(text).value());
  if (!parsed) return failed("not JSON: " + parsed.error().message);
  set_.documents.push_back(std::move(parsed).value());
  return &files_.emplace_back(File{canonical, shown, set_.documents.back().get()});
}

const Node* Compiler::compile(const std::string& path) {
  const size_t before = complaints_.size();
  const File* file = open(path, false);
  if (file == nullptr) return nullptr;
  const Node* root = schema({file, file->document->root(), {}});
  while (!pending_.empty()) {
    const auto [node, place] = std::move(pending_.front());
    pending_.pop_front();
    fill(*node, place);
  }
  if (complaints_.size() == before) check_circles();
  return complaints_.size() == before ? root : nullptr;
}

Node* Compiler::schema(const Place& place) {
  Node*& node = known_[{place.file, place.ref}];
  if (node == nullptr) {
    set_.nodes.push_back(std::make_unique<Node>());
    node = set_.nodes.back().get();
    if (set_.nodes.size() <= kMaxNodes) pending_.emplace_back(node, place);
    if (set_.nodes.size() == kMaxNodes + 1) complain(place, "more than " + std::to_string(kMaxNodes) + " schemas");
  }
  return node;
}

void Compiler::fill(Node& node, const Place& place) {
  const Document& file = document(place);
  if (file.type(place.ref) == Type::boolean) {
    node.never = !file.boolean(place.ref);
    return;
  }
  if (file.type(place.ref) != Type::object) return complain(place, "expected a schema: an object, true or false");
  members(place, [&](const std::string& name, const Place& child) { keyword(node, child, name); });
}

void Compiler::keyword(Node& node, const Place& place, std::string_view name) {
  std::vector<std::string_view> known;
  for (const Keyword& candidate : kKeywords) {
    if (candidate.name == name) {
      if (candidate.take != nullptr) candidate.take(*this, node, place);
      return;
    }
    known.push_back(candidate.name);
  }
  if (name == "dependencies") return complain(place, "it is called dependentRequired or dependentSchemas in 2020-12");
  const std::string near = conf::nearest(name, known);
  complain(place, "keyword '" + printable(name, 40) + "' is not supported" + (near.empty() ? "; remove it" : "; did you mean '" + near + "'?"));
}

std::vector<const Node*> Compiler::schemas(const Place& place) {
  std::vector<const Node*> out;
  const Document& file = document(place);
  if (file.type(place.ref) != Type::array || file.size(place.ref) == 0) {
    complain(place, "expected a list of schemas");
    return out;
  }
  for (Ref item = file.first(place.ref); item != kNone; item = file.next(place.ref, item)) {
    out.push_back(schema(place.child(std::to_string(out.size()), item)));
  }
  return out;
}

template <typename Take>
void Compiler::members(const Place& place, Take take) {
  const Document& file = document(place);
  if (file.type(place.ref) != Type::object) return complain(place, "expected an object");
  for (Ref name = file.first(place.ref); name != kNone; name = file.next(place.ref, name)) {
    std::string scratch;
    const std::string text(file.string(name, scratch));
    take(text, place.child(text, Document::value_of(name)));
  }
}

uint32_t Compiler::count(const Place& place) {
  const Document& file = document(place);
  if (file.type(place.ref) == Type::number && json::is_whole(file.raw(place.ref))) {
    const double value = json::to_double(file.raw(place.ref));
    if (value >= 0) return value < kNoMaximum ? static_cast<uint32_t>(value) : kNoMaximum;
  }
  complain(place, "expected a whole number, 0 or more");
  return 0;
}

std::optional<std::string_view> Compiler::number(const Place& place) {
  const Document& file = document(place);
  if (file.type(place.ref) == Type::number) return file.raw(place.ref);
  complain(place, "expected a number");
  return std::nullopt;
}

std::unique_ptr<const re2::RE2> Compiler::expression(const Place& place, const std::string& text) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  auto made = std::make_unique<const re2::RE2>(text, options);
  if (made->ok()) return made;
  complain(place, "the pattern is not a regular expression of RE2: " + made->error());
  return nullptr;
}

std::vector<json::Key> Compiler::names(const Place& place) {
  std::vector<json::Key> out;
  const Document& file = document(place);
  const bool list = file.type(place.ref) == Type::array;
  for (Ref item = list ? file.first(place.ref) : kNone; item != kNone; item = file.next(place.ref, item)) {
    if (file.type(item) != Type::string) {
      complain(place, "expected names of members");
      return {};
    }
    out.emplace_back(text_of(place, item));
  }
  if (!list) complain(place, "expected a list of names");
  return out;
}

void Compiler::types(Node& node, const Place& place) {
  const Document& file = document(place);
  const auto take = [&](Ref name) {
    const std::string text = text_of(place, name);
    for (const Type type : {Type::null, Type::boolean, Type::number, Type::string, Type::array, Type::object}) {
      if (text == json::to_string(type)) node.types |= 1U << static_cast<unsigned>(type);
    }
    if (text == "integer") node.types |= kIntegerBit;
    const std::string_view known[] = {"null", "boolean", "number", "integer", "string", "array", "object"};
    if (std::find(std::begin(known), std::end(known), text) != std::end(known)) return;
    complain(place, "expected null, boolean, number, integer, string, array or object");
  };
  if (file.type(place.ref) != Type::array) return take(place.ref);
  if (file.size(place.ref) == 0) return complain(place, "expected a type");
  for (Ref item = file.first(place.ref); item != kNone; item = file.next(place.ref, item)) take(item);
}

void Compiler::enumeration(Node& node, const Place& place) {
  const Document& file = document(place);
  if (file.type(place.ref) != Type::array) return complain(place, "expected a list of values");
  node.has_enum = true;
  for (Ref item = file.first(place.ref); item != kNone; item = file.next(place.ref, item)) node.among.push_back({&file, item});
}

void Compiler::reference(Node& node, const Place& place) {
  const std::string text = text_of(place, place.ref);
  const size_t hash = std::min(text.find('#'), text.size());
  const std::string target = text.substr(0, hash);
  const auto fragment = http::percent_decode(std::string_view(text).substr(std::min(hash + 1, text.size())));
  if (text.empty() || !fragment) return complain(place, "expected \"#/…\", \"FILE\" or \"FILE#/…\"");
  if (target.find(':') != std::string::npos) {
    return complain(place, "'" + printable(target, 80) + "' is not a file; schemas are never fetched: copy it beside this one");
  }
  const File* file = place.file;
  if (!target.empty()) {
    file = open((std::filesystem::path(place.file->path).parent_path() / target).string(), true);
    if (file == nullptr) return complain(place, "cannot follow the reference");
  }
  if (!fragment->empty() && fragment->front() != '/') {
    return complain(place, "anchors are not supported; refer by the path, such as #/$defs/" + printable(*fragment, 40));
  }
  Place at{file, file->document->root(), {}};
  std::string_view rest = *fragment;
  while (!rest.empty() && at.ref != kNone) {
    const size_t end = std::min(rest.find('/', 1), rest.size());
    const std::string step = unescaped(rest.substr(1, end - 1));
    rest.remove_prefix(end);
    Ref next = file->document->find(at.ref, step);
    if (const auto index = parse_u64(step); next == kNone && index && *index < kNoMaximum) next = file->document->at(at.ref, static_cast<uint32_t>(*index));
    at = at.child(step, next);
  }
  if (at.ref == kNone) return complain(place, "nothing stands at '" + printable(text, 80) + "'");
  node.reference = schema(at);
}

// A schema that applies itself to the same value again would never end.
void Compiler::check_circles() {
  std::set<const Node*> done, open_nodes;
  // Depth first, by hand: chains of references may be long. A node is pushed twice: to enter and to leave it.
  std::vector<std::pair<const Node*, bool>> work;
  for (const auto& node : set_.nodes) work.emplace_back(node.get(), false);
  while (!work.empty()) {
    const auto [node, leave] = work.back();
    work.pop_back();
    if (leave) {
      open_nodes.erase(node);
      done.insert(node);
      continue;
    }
    if (done.count(node) > 0 || !open_nodes.insert(node).second) continue;
    work.emplace_back(node, true);
    std::vector<const Node*> applied = {node->reference, node->negated, node->condition, node->then, node->otherwise};
    for (const auto* list : {&node->all_of, &node->any_of, &node->one_of}) applied.insert(applied.end(), list->begin(), list->end());
    for (const Dependent& dependent : node->dependents) applied.push_back(dependent.node);
    for (const Node* next : applied) {
      if (next == nullptr || done.count(next) > 0) continue;
      if (open_nodes.count(next) > 0) {
        const auto found = std::find_if(known_.begin(), known_.end(), [&](const auto& entry) { return entry.second == next; });
        complaints_.push_back(found->first.first->shown + ": a schema refers to itself for the same value, without end; put the reference under properties or items");
        return;
      }
      work.emplace_back(next, false);
    }
  }
}

}  // namespace belay::modules::schema
