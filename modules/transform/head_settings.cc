#include <algorithm>

#include "base/bytes.h"
#include "conf/documented.h"
#include "http/parser.h"
#include "http/writer.h"
#include "modules/transform/head.h"

namespace belay::modules {

using rules::Template;

namespace {

constexpr conf::Setting kHeaders[] = {
    {.key = "set", .type = conf::Type::node, .help = "fields that replace the sender's, or are added; their values are templates", .example = "{ X-Event: \"{{ $event.type }}\" }"},
    {.key = "remove", .type = conf::Type::text, .help = "names of fields that are not sent", .example = "[X-Secret]"},
};
const conf::Documented kSourcesRoutesTransformHeadersDocumented("sources.NAME.routes[].transform.headers", kHeaders);
constexpr conf::Setting kQuery[] = {
    {.key = "set", .type = conf::Type::node, .help = "parameters that replace the sender's, or are added; their values are templates", .example = "{ v: \"2\" }"},
    {.key = "remove", .type = conf::Type::text, .help = "names of parameters that are not sent", .example = "[token]"},
};
const conf::Documented kSourcesRoutesTransformQueryDocumented("sources.NAME.routes[].transform.query", kQuery);

// Why a rule cannot say anything about a header; empty: it can.
std::string_view not_ours(std::string_view name) {
  const auto is = [name](std::string_view word) { return ascii_iequals(name, word); };
  if (http::is_hop_by_hop(name) || is("content-length") || is("expect")) return "belongs to the connection, not to the webhook";
  if (is("host")) return "depends on the destination: use its url or its headers.set";
  if (is("x-forwarded-for") || is("x-forwarded-proto") || is("webhook-attempt")) return "is written by Belay itself; a destination's headers.set can replace it";
  return {};
}

bool good_header(const std::string& name, const conf::Position& position, conf::Problems& problems) {
  if (!http::is_token(name)) {
    problems.add(position, "'" + printable(name, 60) + "' is no header name", "letters, digits and hyphens, for example X-Event");
    return false;
  }
  const std::string_view why = not_ours(name);
  if (!why.empty()) problems.add(position, "header " + name + " " + std::string(why), "remove it here");
  return why.empty();
}

bool is_path_byte(char c) {
  const bool word = (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
  return word || std::string_view("/-._~!$&'()*+,;=:@%").find(c) != std::string_view::npos;  // RFC 3986 §3.3
}

}  // namespace

std::unique_ptr<NewHead> NewHead::read(const conf::Section& section, Missing missing) {
  const size_t before = section.problems().all().size();
  std::unique_ptr<NewHead> made(new NewHead(missing));
  if (section.has("headers")) made->read_headers(section.node("headers"), section.problems());
  if (section.has("query")) made->read_query(section.node("query"), section.problems());
  if (section.has("path")) made->read_path(section.node("path"), section.problems());
  if (section.has("method")) made->read_method(section);
  return section.problems().all().size() == before ? std::move(made) : nullptr;
}

void NewHead::read_values(const conf::Section& section, std::vector<Setting>& into) {
  if (section.has("set") && !section.node("set").is_map()) section.wrong("set", "set must be a mapping", "write set: { NAME: \"{{ order.id }}\" }");
  for (const conf::Entry& entry : section.node("set").entries()) {
    auto value = Template::compile(entry.value, rules::Names::request(), section.problems());
    if (value != nullptr) into.push_back({entry.key, std::move(value)});
  }
}

void NewHead::read_headers(const conf::Node& node, conf::Problems& problems) {
  const conf::Section section(node, kHeaders, problems);
  read_values(section, set_headers_);
  for (const conf::Entry& entry : section.node("set").entries()) {
    if (!good_header(entry.key, entry.key_position, problems)) continue;
    const auto same = std::count_if(set_headers_.begin(), set_headers_.end(), [&](const Setting& setting) { return ascii_iequals(setting.name, entry.key); });
    if (same > 1) problems.add(entry.key_position, "header " + entry.key + " is set twice", "remove one");
  }
  for (const Setting& setting : set_headers_) {
    if (setting.value->is_constant() && !http::is_field_value(setting.value->text())) {
      section.wrong("set", "the value of " + setting.name + " cannot stand in a header", "it has a line break or another control character");
    }
  }
  sets_content_type_ = std::any_of(set_headers_.begin(), set_headers_.end(), [](const Setting& setting) { return ascii_iequals(setting.name, "content-type"); });
  if (!section.has("remove")) return;
  for (std::string& name : section.texts("remove")) {
    if (good_header(name, section.node("remove").position(), problems)) remove_headers_.push_back(std::move(name));
  }
}

void NewHead::read_query(const conf::Node& node, conf::Problems& problems) {
  const conf::Section section(node, kQuery, problems);
  read_values(section, set_query_);
  if (section.has("remove")) remove_query_ = section.texts("remove");
}

void NewHead::read_path(const conf::Node& node, conf::Problems& problems) {
  path_ = Template::compile(node, rules::Names::request(), problems, Template::Escape::url);
  if (path_ == nullptr) return;
  if (path_->text().empty() || path_->parts().front().expression != nullptr || path_->text().front() != '/') {
    return problems.add(node.position(), "a path begins with '/'", "what comes from the payload is one part of it: /orders/{{ order.id }}");
  }
  for (const Template::Part& part : path_->parts()) {
    if (std::all_of(part.literal.begin(), part.literal.end(), is_path_byte)) continue;
    const bool query = part.literal.find('?') != std::string::npos;
    return problems.add(node.position(), query ? "a path has no query" : "a path holds no blanks and no characters beyond ASCII",
                        query ? "write query: { set: { NAME: value } }" : "write them percent-coded: %20");
  }
}

void NewHead::read_method(const conf::Section& section) {
  method_ = section.text("method");
  const bool good = http::is_token(method_) && std::none_of(method_.begin(), method_.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  if (!good || method_ == "CONNECT" || method_ == "TRACE") {
    return section.wrong("method", "'" + printable(method_, 40) + "' is no method a webhook can be sent with", "write PUT, PATCH, DELETE, GET or another one in upper case");
  }
  const bool has_body = section.has("body") || section.has("text") || section.has("edit");
  if (drops_body() && has_body) section.wrong("method", method_ + " carries no body", "remove the body, or use POST or PUT");
}

}  // namespace belay::modules
