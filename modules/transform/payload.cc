#include "modules/transform/payload.h"

#include <algorithm>

#include "base/bytes.h"
#include "conf/documented.h"
#include "rules/write.h"

namespace belay::modules {

using rules::Template;
using rules::Value;

namespace {

constexpr conf::Setting kEdit[] = {
    {.key = "set", .type = conf::Type::node, .help = "PATH: value; written in place, or added", .example = "{ status: \"{{ upper(status) }}\" }"},
    {.key = "remove", .type = conf::Type::text, .help = "paths that are taken out", .example = "[changes, metadata.userId]"},
    {.key = "rename", .type = conf::Type::node, .help = "PATH: new name of the member, in its place", .example = "{ entityId: id }"},
    {.key = "keep", .type = conf::Type::text, .help = "paths that are left, beside what set and rename name; everything else goes", .example = "[order, assets]"},
};
const conf::Documented kSourcesRoutesTransformEditDocumented("sources.NAME.routes[].transform.edit", kEdit);

Template::Escape escape_of(As as) {
  switch (as) {
    case As::json: return Template::Escape::json;
    case As::form: return Template::Escape::form;
    case As::xml: return Template::Escape::xml;
    case As::text: break;
  }
  return Template::Escape::none;
}

// XML is read as JSON, too.
bool came_as_xml(rules::Context& context) {
  const std::string_view raw = context.variable(rules::Variable::raw).text();
  const size_t first = raw.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (first != std::string_view::npos && raw[first] == '<') return true;
  Value type;
  if (!context.variable(rules::Variable::headers).as_table().find("content-type", context.arena(), type)) return false;
  const std::string media(trim_ows(type.text().substr(0, type.text().find(';'))));
  return ascii_lower(media).ends_with("xml");
}

// One member name, as a path writes it.
Result<std::string> new_name(const conf::Node& node) {
  if (!node.is_scalar()) return invalid("a new name is text");
  const auto path = json::parse_path(node.text());
  if (!path) return path.error();
  if (path->size() == 1 && path->front().kind == json::Step::Kind::member) return path->front().name.name;
  return invalid("rename gives a member another name in its place");
}

}  // namespace

std::unique_ptr<NewPayload> NewPayload::read(const conf::Section& section, Missing missing) {
  const int ways = static_cast<int>(section.has("body")) + section.has("edit") + section.has("text");
  if (ways == 0) {
    if (section.has("as")) section.wrong("as", "as says how a new body is written, and there is none", "add body or text");
    return nullptr;
  }
  if (ways > 1) {
    section.wrong("edit", "a transform has one of body, edit and text", "remove the others");
    return nullptr;
  }
  std::unique_ptr<NewPayload> made(new NewPayload(missing));
  if (!made->read_as(section)) return nullptr;
  if (section.has("edit")) return made->read_edit(section) ? std::move(made) : nullptr;
  if (section.has("text")) return made->read_text(section) ? std::move(made) : nullptr;
  made->body_ = Shape::read(section.node("body"), section.problems());
  return made->body_ != nullptr ? std::move(made) : nullptr;
}

bool NewPayload::read_as(const conf::Section& section) {
  const std::string word = section.text("as");
  as_ = word == "form" ? As::form : word == "xml" ? As::xml : word == "text" ? As::text : As::json;
  if (section.has("text") && !section.has("as")) as_ = As::text;
  if (section.has("body") && as_ == As::text) {
    section.wrong("as", "a body written as text is a text", "write text: instead of body:");
    return false;
  }
  if (section.has("edit") && as_ != As::json) {
    section.wrong("as", "edit changes a JSON payload, which stays JSON", "remove as, or use body");
    return false;
  }
  return true;
}

bool NewPayload::read_text(const conf::Section& section) {
  text_ = Template::compile(section.node("text"), rules::Names::request(), section.problems(), escape_of(as_));
  return text_ != nullptr;
}

bool NewPayload::read_edit(const conf::Section& section) {
  conf::Problems& problems = section.problems();
  const conf::Section settings(section.node("edit"), kEdit, problems);
  edit_ = std::make_unique<json::Edit>();
  bool good = true;
  const auto check = [&](const Result<void>& done, const conf::Position& position, std::string_view key) {
    if (!done) problems.add(position, "edit." + std::string(key) + ": " + done.error().message, {});
    good = good && done.ok();
  };
  for (const char* key : {"set", "rename"}) {
    if (!settings.has(key) || settings.node(key).is_map()) continue;
    settings.wrong(key, std::string(key) + " must be a mapping", "write " + std::string(key) + ": { PATH: value }");
    good = false;
  }
  for (const conf::Entry& entry : settings.node("set").entries()) {
    check(edit_->set(entry.key), entry.key_position, "set");
    set_values_.push_back(Shape::read(entry.value, problems));
    good = good && set_values_.back() != nullptr;
  }
  for (const std::string& path : settings.has("remove") ? settings.texts("remove") : std::vector<std::string>()) {
    check(edit_->remove(path), settings.node("remove").position(), "remove");
  }
  for (const conf::Entry& entry : settings.node("rename").entries()) {
    const auto name = new_name(entry.value);
    if (name) check(edit_->rename(entry.key, *name), entry.key_position, "rename");
    if (!name) {
      problems.add(entry.value.position(), "edit.rename: " + name.error().message, "to move a value, write set and remove");
      good = false;
    }
  }
  for (const std::string& path : settings.has("keep") ? settings.texts("keep") : std::vector<std::string>()) {
    check(edit_->keep(path), settings.node("keep").position(), "keep");
  }
  if (good) check(edit_->finish(), section.node("edit").position(), "rename");
  return good;
}

std::string_view NewPayload::content_type(std::string_view received) const {
  if (edit_ != nullptr) {
    const std::string type = ascii_lower(received);
    const bool other = type.find("charset") != std::string::npos && type.find("utf-8") == std::string::npos;
    return other ? "application/json" : std::string_view();
  }
  switch (as_) {
    case As::json: return "application/json";
    case As::form: return "application/x-www-form-urlencoded";
    case As::xml: return "application/xml";
    case As::text: break;
  }
  return "text/plain; charset=utf-8";
}

Result<void> NewPayload::append(rules::Context& context, std::string& out) const {
  if (body_ != nullptr) return append_body(context, out);
  return text_ != nullptr ? append_text(context, out) : append_edited(context, out);
}

Result<void> NewPayload::append_body(rules::Context& context, std::string& out) const {
  bool present = false;
  if (as_ == As::json) {
    const auto done = body_->append_json(context, missing_, out);
    if (!done) return done.error();
    present = *done;
  } else {
    Value value;
    const auto done = body_->value(context, missing_, value);
    if (!done) return done.error();
    present = *done;
    const auto write = as_ == As::form ? rules::append_form : rules::append_xml_document;
    if (present) return write(out, value, context.arena());
  }
  // `missing: omit` of a body that is one template alone.
  return present ? Result<void>() : invalid("there is nothing to send: body is left out as a whole");
}

Result<void> NewPayload::append_text(rules::Context& context, std::string& out) const {
  const auto absent = missing_ == Missing::error ? Template::Absent::error : Template::Absent::empty;
  if (auto done = text_->append(context, out, absent); !done) return done;
  if (as_ != As::json) return {};
  const auto parsed = json::Document::parse(out);
  return parsed ? Result<void>() : invalid("the text made is not JSON: " + parsed.error().message);
}

Result<void> NewPayload::append_edited(rules::Context& context, std::string& out) const {
  const Value& payload = context.root();
  if (payload.is_error()) return payload.to_error();
  if (!payload.is_json()) return invalid("edit changes a JSON payload, this one is a form");
  if (came_as_xml(context)) return invalid("edit changes a JSON payload, this one is XML");
  const json::Document& document = payload.document();
  std::string texts;
  std::vector<size_t> ends;
  ends.reserve(set_values_.size());
  std::vector<bool> given(set_values_.size());
  for (size_t i = 0; i < set_values_.size(); ++i) {
    const auto present = set_values_[i]->append_json(context, missing_, texts);
    if (!present) return present.error();
    given[i] = *present;
    ends.push_back(texts.size());
  }
  std::vector<std::string_view> values(set_values_.size());
  for (size_t i = 0, begin = 0; i < values.size(); begin = ends[i++]) {
    if (given[i]) values[i] = std::string_view(texts).substr(begin, ends[i] - begin);
  }
  out.reserve(document.text().size() + texts.size() + 64);
  const auto absent = missing_ == Missing::error ? json::Edit::Absent::refuse : json::Edit::Absent::ignore;
  return edit_->apply(document, values, absent, out);
}

}  // namespace belay::modules
