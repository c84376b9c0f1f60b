#include "modules/transform/shape.h"

#include "base/bytes.h"
#include "base/check.h"

namespace belay::modules {

using rules::Value;

namespace {

// A scalar without quotes that JSON reads as a number, true, false or null is that.
bool is_json_word(std::string_view text) {
  if (text.empty() || text.front() == '"' || text.front() == '{' || text.front() == '[') return false;
  return json::Document::parse(text).ok();
}

Error too_large() { return {ErrorKind::full, "the payload made is larger than 16 MB"}; }
Error out_of_memory() { return {ErrorKind::full, "too much memory for one request's expressions"}; }

}  // namespace

Shape::~Shape() = default;

std::unique_ptr<Shape> Shape::read(const conf::Node& node, conf::Problems& problems) {
  size_t members = 0;
  return read(node, problems, members);
}

std::unique_ptr<Shape> Shape::read(const conf::Node& node, conf::Problems& problems, size_t& members) {
  std::unique_ptr<Shape> made(new Shape);
  const bool inside = node.is_map() || node.is_list();
  const bool good = inside ? made->read_members(node, problems, members) : made->read_scalar(node, problems);
  return good ? std::move(made) : nullptr;
}

bool Shape::read_scalar(const conf::Node& node, conf::Problems& problems) {
  std::string text;
  if (!node.is_scalar()) {
    text = "null";
  } else if (!node.quoted() && is_json_word(node.text())) {
    text = node.text();
  } else {
    dynamic_ = rules::Template::compile(node, rules::Names::request(), problems);
    if (dynamic_ == nullptr) return false;
    kind_ = Kind::dynamic;
    if (!dynamic_->is_constant()) return true;
    append_json_string(text, dynamic_->text());
    dynamic_.reset();
    kind_ = Kind::constant;
  }
  constant_ = json::Document::parse_owned(std::move(text)).value();
  return true;
}

bool Shape::read_members(const conf::Node& node, conf::Problems& problems, size_t& members) {
  kind_ = node.is_map() ? Kind::map : Kind::list;
  bool good = true;
  const auto add = [&](const conf::Node& child, std::string_view name) {
    if (++members > kMaxMembers) {
      if (members == kMaxMembers + 1) problems.add(child.position(), "more than 10000 values in one transform", {});
      good = false;
      return;
    }
    Member member{{}, std::string(name), read(child, problems, members)};
    append_json_string(member.name, name);
    member.name.push_back(':');
    good = good && member.shape != nullptr;
    members_.push_back(std::move(member));
  };
  for (const conf::Entry& entry : node.entries()) add(entry.value, entry.key);
  for (const conf::Node& item : node.items()) add(item, {});
  return good;
}

std::string Shape::place() const {
  for (const auto& part : dynamic_->parts()) {
    if (part.expression != nullptr) return " (" + part.expression->position().to_string() + ")";
  }
  return {};
}

// The value of a template.
Result<bool> Shape::run(rules::Context& context, Missing missing, Value& out) const {
  out = dynamic_->run(context);
  if (missing != Missing::error && rules::Template::is_absent(out)) {
    out = Value();
    return missing == Missing::null;
  }
  if (out.is_error()) return Error{out.to_error().kind, dynamic_->explain(out.failure())};
  return true;
}

Result<bool> Shape::append_json(rules::Context& context, Missing missing, std::string& out) const {
  if (kind_ == Kind::constant) {
    out += constant_->text();
    return true;
  }
  if (kind_ == Kind::dynamic) {
    Value made;
    const auto present = run(context, missing, made);
    if (!present || !*present) return present;
    if (const auto done = made.append_json(out); !done) return Error{done.error().kind, done.error().message + place()};
    return out.size() <= rules::kMaxResult ? Result<bool>(true) : too_large();
  }
  const bool map = kind_ == Kind::map;
  out.push_back(map ? '{' : '[');
  bool any = false;
  for (const Member& member : members_) {
    const size_t before = out.size();
    if (any) out.push_back(',');
    if (map) out += member.name;
    const auto present = member.shape->append_json(context, missing, out);
    if (!present) return present;
    any = any || *present;
    if (!*present) out.resize(before);
  }
  out.push_back(map ? '}' : ']');
  return true;
}

Result<bool> Shape::value(rules::Context& context, Missing missing, Value& out) const {
  if (kind_ == Kind::constant) {
    out = Value::json(*constant_, constant_->root());
    return true;
  }
  if (kind_ == Kind::dynamic) return run(context, missing, out);
  rules::Arena& arena = context.arena();
  const bool map = kind_ == Kind::map;
  auto* const entries = map ? arena.array<rules::Entry>(members_.size()) : nullptr;
  auto* const items = map ? nullptr : arena.array<Value>(members_.size());
  if (entries == nullptr && items == nullptr) return out_of_memory();
  size_t count = 0;
  for (const Member& member : members_) {
    Value one;
    const auto present = member.shape->value(context, missing, one);
    if (!present) return present;
    if (!*present) continue;
    if (map) {
      entries[count] = {Value::string(member.plain_name), one};
    } else {
      items[count] = one;
    }
    ++count;
  }
  out = map ? Value::map({entries, count}) : Value::list({items, count});
  return true;
}

}  // namespace belay::modules
