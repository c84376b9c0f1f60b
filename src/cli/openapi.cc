#include "cli/openapi.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <set>

#include "admin/json_writer.h"
#include "admin/openapi.h"
#include "base/bytes.h"
#include "cli/admin_client.h"
#include "cli/commands.h"
#include "cli/dry_run.h"
#include "cli/openapi_security.h"
#include "conf/stand_in.h"
#include "http/url.h"
#include "json/document.h"

namespace belay::cli {

using admin::JsonWriter;
using pipeline::Source;

namespace {

constexpr std::string_view kAnswer = "Answer";  // the component of Belay's own answers

// The methods an OpenAPI path item has.
constexpr std::string_view kMethods[] = {"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"};

// A source's place: OpenAPI's path, its parameters and methods.
struct Place {
  std::string path;
  std::vector<std::string> parameters;
  std::vector<std::string> methods;  // lower case
  std::string host;
};

std::vector<std::string> methods_of(const conf::Node& match) {
  const conf::Node& node = match.at("methods");
  std::vector<std::string> given;
  if (!node.present()) given = {"POST"};
  if (node.is_scalar()) given = {node.text()};
  for (const conf::Node& item : node.items()) given.push_back(item.text());
  const bool any = std::find(given.begin(), given.end(), "any") != given.end();
  std::vector<std::string> methods;
  for (const std::string_view method : kMethods) {
    if (any || std::find(given.begin(), given.end(), method) != given.end()) methods.push_back(ascii_lower(method));
  }
  return methods;
}

// "/a/{tenant}/*" → "/a/{tenant}/{rest}" with both as parameters.
Place place_of(const Source& source) {
  const conf::Node& match = source.settings_of("match");
  Place place;
  place.path = match.is_scalar() ? match.text() : match.at("path").text();
  place.methods = methods_of(match);
  place.host = match.at("host").text();
  if (place.path.ends_with("/*")) place.path.replace(place.path.size() - 1, 1, "{rest}");
  for (size_t open = place.path.find('{'); open != std::string::npos; open = place.path.find('{', open + 1)) {
    place.parameters.push_back(place.path.substr(open + 1, place.path.find('}', open) - open - 1));
  }
  return place;
}

// A schema that stands in another document keeps its references to itself ("#/$defs/…") by having an id of its own.
std::string with_id(const json::Document& schema, const std::string& file) {
  const json::Ref root = schema.root();
  if (schema.type(root) != json::Type::object || schema.find(root, "$id") != json::kNone) return std::string(schema.raw(root));
  std::string out = "{\"$id\": ";
  append_json_string(out, "urn:belay:" + http::percent_encode(file));
  return out.append(schema.size(root) == 0 ? "" : ", ").append(schema.raw(root).substr(1));
}

class Writer {
 public:
  explicit Writer(const pipeline::Ruleset& ruleset) : ruleset_(ruleset) {}

  Result<std::string> write() {
    for (const auto& source : ruleset_.sources) sources_.push_back({source.get(), place_of(*source), {}});
    for (Entry& entry : sources_) {
      if (auto schema = schema_of(*entry.source); schema) {
        entry.schema = std::move(*schema);
      } else {
        return schema.error();
      }
    }
    json_.begin_object().field("openapi", "3.1.0");
    json_.name("info").begin_object().field("title", "Webhooks").field("version", BELAY_VERSION);
    json_.field("description", "Made by belay openapi from " + ruleset_.configuration->main_file).end_object();
    servers();
    paths();
    components();
    json_.end_object();
    return json_.take();
  }

 private:
  struct Entry {
    const Source* source;
    Place place;
    std::string schema;  // of the body, a reference as JSON; empty: none
  };

  // `schema:` of a source: one file, or one for each event type. Each stands once among the components; sources refer to it.
  Result<std::string> schema_of(const Source& source) {
    const conf::Node& node = source.settings_of("schema");
    std::vector<std::string> files;
    if (node.is_scalar()) files.push_back(node.text());
    for (const conf::Entry& entry : node.entries()) {
      if (entry.value.is_scalar() && std::find(files.begin(), files.end(), entry.value.text()) == files.end()) files.push_back(entry.value.text());
    }
    std::vector<std::string> references;
    for (const std::string& file : files) {
      const auto name = component_of(file.starts_with('/') ? file : source.named->folder + "/" + file);
      if (!name) return invalid("schema of source " + source.name + ": " + name.error().message);
      references.push_back(fmt::format("{{\"$ref\": \"#/components/schemas/{}\"}}", *name));
    }
    if (references.size() < 2) return references.empty() ? std::string() : references.front();
    return fmt::format("{{\"anyOf\": [{}]}}", fmt::join(references, ", "));
  }

  // Files of one name in several folders are told apart by a number.
  Result<std::string> component_of(const std::string& path) {
    if (const auto known = schema_names_.find(path); known != schema_names_.end()) return known->second;
    auto text = read_file(path);
    if (!text) return text.error();
    const auto parsed = json::Document::parse(*text);
    if (!parsed) return invalid(path + " is not JSON: " + parsed.error().message);
    const std::string plain = component_name(path.substr(path.rfind('/') + 1));
    std::string name = plain;
    for (int i = 2; name == kAnswer || schemas_.contains(name); ++i) name = fmt::format("{}-{}", plain, i);
    schemas_.emplace(name, with_id(**parsed, name));
    schema_names_.emplace(path, name);
    return name;
  }

  void servers() {
    json_.name("servers").begin_array();
    for (const conf::Listen& listen : ruleset_.configuration->proxy.listen) {
      if (listen.address.starts_with("unix:")) continue;
      json_.begin_object().field("url", (listen.tls.empty() ? "http://" : "https://") + listen.address).end_object();
    }
    json_.end_array();
  }

  // Sources of one path share an item; where they also share a method they differ in their host, and the later one stands under the
  // path with its name behind '#'.
  void paths() {
    std::map<std::string, std::vector<const Entry*>> items;
    std::set<std::string> taken;
    for (const Entry& entry : sources_) {
      std::string path = entry.place.path;
      const auto is_taken = [&](const std::string& method) { return taken.contains(method + " " + path); };
      if (std::any_of(entry.place.methods.begin(), entry.place.methods.end(), is_taken)) path += "#" + entry.source->name;
      for (const std::string& method : entry.place.methods) taken.insert(method + " " + path);
      items[path].push_back(&entry);
    }
    json_.name("paths").begin_object();
    for (const auto& [path, entries] : items) {
      json_.name(path).begin_object();
      for (const Entry* entry : entries) {
        for (const std::string& method : entry->place.methods) operation(*entry, method);
      }
      json_.end_object();
    }
    json_.end_object();
  }

  void operation(const Entry& entry, const std::string& method) {
    const Source& source = *entry.source;
    json_.name(method).begin_object();
    json_.field("operationId", method + "-" + source.name);
    json_.name("tags").begin_array().text(source.name).end_array();
    json_.field("summary", "Webhook of " + source.name);
    json_.field("description", fmt::format("Trust: {}.", pipeline::to_string(source.trust)));
    if (!entry.place.host.empty()) {
      json_.name("servers").begin_array().begin_object().field("url", "https://" + entry.place.host).end_object().end_array();
    }
    parameters(entry.place);
    if (method != "get" && method != "head" && method != "trace") body(entry);
    security(source);
    responses(source);
    json_.end_object();
  }

  void parameters(const Place& place) {
    if (place.parameters.empty()) return;
    json_.name("parameters").begin_array();
    for (const std::string& name : place.parameters) {
      json_.begin_object().field("name", name).field("in", "path").field("required", true);
      json_.name("schema").begin_object().field("type", "string").end_object().end_object();
    }
    json_.end_array();
  }

  void body(const Entry& entry) {
    std::vector<std::string> types = entry.source->body_types;
    if (types.empty()) types.emplace_back(entry.schema.empty() ? "*/*" : "application/json");
    json_.name("requestBody").begin_object().field("required", true);
    json_.field("description", fmt::format("At most {} bytes.", entry.source->body_max));
    json_.name("content").begin_object();
    for (const std::string& type : types) {
      json_.name(type).begin_object();
      if (!entry.schema.empty()) json_.name("schema").raw(entry.schema);
      json_.end_object();
    }
    json_.end_object().end_object();
  }

  void security(const Source& source) {
    const SecurityNeeds needs = security_of(source, schemes_);
    json_.name("security").begin_array();
    for (const auto& together : needs) {
      json_.begin_object();
      const std::set<std::string> once(together.begin(), together.end());
      for (const std::string& name : once) json_.name(name).begin_array().end_array();
      json_.end_object();
    }
    json_.end_array();
  }

  void answer(int status, std::string_view description) {
    json_.name(std::to_string(status)).begin_object().field("description", description);
    json_.name("content").begin_object().name("application/json").begin_object().name("schema").begin_object();
    json_.field("$ref", "#/components/schemas/Answer").end_object().end_object().end_object().end_object();
  }

  // What the sender gets when Belay answers for the backend.
  void accepted(const Source& source) {
    const int status = source.reply_status;
    if (status == 0) {
      answer(200, "Taken, but not wanted: filtered, or seen before");
      answer(202, "Stored; it will be delivered");
      return;
    }
    json_.name(std::to_string(status)).begin_object().field("description", "Taken: forwarded, stored, filtered, or seen before");
    if (!source.reply_body.empty()) {
      const bool is_json = json::Document::parse(source.reply_body).ok();
      json_.name("content").begin_object().name(is_json ? "application/json" : "text/plain").begin_object().name("example");
      is_json ? json_.raw(source.reply_body) : json_.text(source.reply_body);
      json_.end_object().end_object();
    }
    json_.end_object();
  }

  void responses(const Source& source) {
    const auto has = [&](std::string_view key) { return source.settings_of(key).present(); };
    const bool spool = source.named->node.at("mode").text() == "spool";
    json_.name("responses").begin_object();
    accepted(source);
    answer(400, "Malformed, or the payload cannot be read");
    if (has("auth") || has("verify")) answer(401, "The credentials or the signature do not prove the sender");
    if (has("allow")) answer(403, "The sender's address is not on the list");
    answer(413, "The body is too large");
    if (!source.body_types.empty()) answer(415, "The content type is not accepted");
    const auto& routes = source.named->node.at("routes").items();
    const bool transforms = std::any_of(routes.begin(), routes.end(), [](const conf::Node& route) { return route.at("transform").present(); });
    if (has("schema") || (transforms && !spool)) answer(422, "The payload lacks what the rules need");
    if (has("limit")) answer(429, "Too many; Retry-After says when");
    answer(503, "Nothing was taken; Retry-After says when to send it again");
    if (!spool) json_.name("default").begin_object().field("description", "The backend's own answer").end_object();
    json_.end_object();
  }

  void components() {
    json_.name("components").begin_object();
    json_.name("schemas").begin_object();
    for (const auto& [name, schema] : schemas_) json_.name(name).raw(schema);
    json_.name(kAnswer).begin_object().field("type", "object");
    json_.name("required").begin_array().text("status").text("id").end_array();
    json_.name("properties").begin_object();
    json_.name("status").begin_object().field("type", "string").name("enum").begin_array();
    for (const char* word : {"spooled", "duplicate", "filtered", "rejected", "failed"}) json_.text(word);
    json_.end_array().end_object();
    json_.name("id").begin_object().field("type", "string").field("format", "uuid").end_object();
    json_.name("reason").begin_object().field("type", "string").end_object();
    json_.end_object().end_object().end_object();
    json_.name("securitySchemes").begin_object();
    for (const auto& [name, scheme] : schemes_) json_.name(name).raw(scheme);
    json_.end_object().end_object();
  }

  const pipeline::Ruleset& ruleset_;
  std::vector<Entry> sources_;
  SecuritySchemes schemes_;
  std::map<std::string, std::string> schemas_;       // by component name
  std::map<std::string, std::string> schema_names_;  // by path
  JsonWriter json_;
};

int openapi(const conf::LoadOptions& options) {
  const conf::MissingSecretsStandIn stand_in;  // it names who must prove what, not with which secret
  const auto ruleset = load_ruleset(options);
  if (!ruleset) return 1;
  const auto text = openapi_json(*ruleset);
  if (!text) return report("openapi", text.error());
  fmt::print("{}\n", *text);
  return 0;
}

}  // namespace

Result<std::string> openapi_json(const pipeline::Ruleset& ruleset) { return Writer(ruleset).write(); }

void add_openapi(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<conf::LoadOptions>();
  const auto of_admin = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("openapi", "All sources, or the admin API, as an OpenAPI 3.1 description");
  CLI::Option* file = command->add_option("-c,--config", options->main_file, "Main file")->type_name("FILE");
  command->add_flag("--admin-api", *of_admin, "Of the admin API, as it gives it at /v1/openapi.json")->excludes(file);
  command->callback([options, of_admin, &exit_code] {
    if (*of_admin) {
      fmt::print("{}\n", admin::render_openapi());
    } else if (options->main_file.empty()) {
      exit_code = report("openapi", invalid("write -c FILE for what senders see, or --admin-api for what operators see"));
    } else {
      exit_code = openapi(*options);
    }
  });
}

}  // namespace belay::cli
