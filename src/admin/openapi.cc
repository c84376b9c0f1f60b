#include "admin/openapi.h"

#include <fmt/format.h>

#include <map>
#include <vector>

#include "admin/call.h"
#include "admin/json_writer.h"
#include "base/bytes.h"

namespace belay::admin {

namespace {

// What several answers hold. Fields may be added to them, never renamed or given another meaning.
constexpr std::pair<std::string_view, std::string_view> kSchemas[] = {
    {"Error", R"({"type": "object", "required": ["error"], "properties": {
      "error": {"type": "string", "description": "what is wrong"}, "hint": {"type": "string", "description": "what to do instead"}}})"},
    {"Id", R"({"type": "string", "pattern": "^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$"})"},
    {"Event", R"({"type": "object", "required": ["id", "received", "source", "outcome", "status", "client", "method", "path"], "properties": {
      "id": {"$ref": "#/components/schemas/Id"}, "received": {"type": "string", "format": "date-time"}, "source": {"type": "string"},
      "trust": {"type": "string"}, "outcome": {"enum": ["forwarded", "spooled", "filtered", "duplicate", "rejected", "failed"]},
      "status": {"type": "integer", "description": "what the sender got"}, "destination": {"type": "string"}, "reason": {"type": "string"},
      "type": {"type": "string"}, "event_id": {"type": "string"}, "resource": {"type": "string"}, "client": {"type": "string"},
      "method": {"type": "string"}, "path": {"type": "string"}, "body_bytes": {"type": "integer"}, "duration_us": {"type": "integer"},
      "backend_us": {"type": "integer"}, "deliveries": {"type": "array", "items": {"$ref": "#/components/schemas/Delivery"}}}})"},
    {"Delivery", R"({"type": "object", "required": ["destination", "state", "route", "attempts"], "properties": {
      "destination": {"type": "string"}, "state": {"enum": ["queued", "sending", "scheduled", "delivered", "dead", "cancelled", "superseded"]},
      "due": {"type": "string", "format": "date-time"}, "waits_for": {"$ref": "#/components/schemas/Id"}, "batch": {"$ref": "#/components/schemas/Id"},
      "expires": {"type": "string", "format": "date-time"}, "route": {"type": "integer", "minimum": 1}, "attempts": {"type": "integer"},
      "reason": {"type": "string"}, "last_attempt": {"type": "string", "format": "date-time"}, "last_status": {"type": "integer"},
      "last_error": {"type": "string"}, "history": {"type": "array", "items": {"$ref": "#/components/schemas/Attempt"}},
      "sent": {"$ref": "#/components/schemas/Request"}}})"},
    {"Attempt", R"({"type": "object", "required": ["at", "duration_ms", "status"], "properties": {
      "at": {"type": "string", "format": "date-time"}, "duration_ms": {"type": "integer"}, "status": {"type": "integer", "description": "0: no answer"},
      "error": {"type": "string"}, "answer": {"type": "string", "description": "the first KB of it"}}})"},
    {"Request", R"({"type": "object", "required": ["method", "target", "tls", "headers"], "properties": {
      "method": {"type": "string"}, "target": {"type": "string"}, "path": {"type": "string"}, "tls": {"type": "boolean"},
      "headers": {"type": "array", "items": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2}},
      "body": {"type": "string"}, "body_base64": {"type": "string", "description": "in place of body when it is not UTF-8"}}})"},
    {"Destination", R"({"type": "object", "required": ["name", "spooled", "waiting", "sending", "delivered", "dead", "cancelled", "superseded", "oldest_waiting_s", "state"], "properties": {
      "name": {"type": "string"}, "spooled": {"type": "integer"}, "waiting": {"type": "integer"}, "sending": {"type": "integer"},
      "delivered": {"type": "integer"}, "dead": {"type": "integer"}, "cancelled": {"type": "integer"}, "superseded": {"type": "integer"},
      "oldest_waiting_s": {"type": ["number", "null"]}, "state": {"type": "string"}, "breaker": {"type": "string"}, "forward_breaker": {"type": "string"},
      "urls": {"type": "integer"}, "urls_down": {"type": "integer"},
      "paused": {"$ref": "#/components/schemas/Mark"}, "disabled": {"$ref": "#/components/schemas/Mark"}}})"},
    {"Mark", R"({"type": "object", "required": ["by", "since"], "properties": {
      "by": {"type": "string", "description": "name of the token"}, "since": {"type": ["string", "null"], "format": "date-time"}, "reason": {"type": "string"}}})"},
};

// What the statuses mean; every one of them comes with an Error.
constexpr std::pair<int, std::string_view> kErrors[] = {
    {400, "A parameter or the body is wrong; the hint says what to write"},
    {401, "No token, or one that is not valid"},
    {403, "The role of the token does not allow this"},
    {404, "There is no such thing"},
    {503, "Too much is under way, or the spool is stopping"},
};

void write_schema(JsonWriter& json, const Parameter& parameter) {
  json.begin_object();
  switch (parameter.type) {
    case Parameter::Type::integer: json.field("type", "integer").field("minimum", parameter.min).field("maximum", parameter.max); break;
    case Parameter::Type::boolean: json.field("type", "boolean"); break;
    case Parameter::Type::id: json.field("$ref", "#/components/schemas/Id"); break;
    case Parameter::Type::word:
      json.field("type", "string").name("enum").begin_array();
      for (const std::string_view word : parameter.words()) json.text(word);
      json.end_array();
      break;
    case Parameter::Type::text:
    case Parameter::Type::moment: json.field("type", "string").field("minLength", 1).field("maxLength", uint64_t{parameter.max_bytes}); break;
  }
  json.end_object();
}

void write_query(JsonWriter& json, const Parameter& parameter) {
  json.begin_object().field("name", parameter.name).field("in", "query").field("description", parameter.help).name("schema");
  write_schema(json, parameter);
  json.end_object();
}

void write_places(JsonWriter& json, std::string_view path) {
  for (const std::string_view segment : split(path, '/')) {
    if (!segment.starts_with('{')) continue;
    const std::string_view name = segment.substr(1, segment.size() - 2);
    json.begin_object().field("name", name).field("in", "path").field("required", true).name("schema");
    if (name == "id") json.raw(R"({"$ref": "#/components/schemas/Id"})");
    else if (name == "number") json.raw(R"({"type": "integer", "minimum": 0})");
    else json.raw(fmt::format(R"({{"type": "string", "minLength": 1, "maxLength": {}}})", kMaxParameterBytes));
    json.end_object();
  }
}

void write_answers(JsonWriter& json, const Route& route) {
  json.name("responses").begin_object();
  json.name("200").begin_object().field("description", "As asked").name("content").begin_object().name(route.type).begin_object().name("schema");
  json.raw(route.answer.empty() ? std::string_view(R"({"type": "string"})") : route.answer);
  json.end_object().end_object().end_object();
  for (const auto& [status, meaning] : kErrors) {
    if (route.role == Role::nobody && (status == 401 || status == 403)) continue;
    if (status == 403 && route.role != Role::operate) continue;
    json.name(std::to_string(status)).begin_object().field("description", meaning);
    json.name("content").begin_object().name("application/json").begin_object().name("schema").raw(R"({"$ref": "#/components/schemas/Error"})");
    json.end_object().end_object().end_object();
  }
  json.end_object();
}

void write_route(JsonWriter& json, const Route& route) {
  json.name(ascii_lower(route.method)).begin_object();
  json.field("operationId", route.operation).field("summary", route.help);
  json.name("security").begin_array();
  if (route.role != Role::nobody) json.begin_object().name("token").begin_array().text(to_string(route.role)).end_array().end_object();
  json.end_array();
  json.name("parameters").begin_array();
  write_places(json, route.path);
  for (const Parameter& parameter : route.parameters) write_query(json, parameter);
  json.end_array();
  if (!route.body.empty()) {
    json.name("requestBody").begin_object().field("required", true).field("description", fmt::format("at most {} bytes", route.body_max));
    json.name("content").begin_object().name("application/json").begin_object().name("schema").raw(route.body).end_object().end_object().end_object();
  }
  write_answers(json, route);
  json.end_object();
}

void write_components(JsonWriter& json) {
  json.name("components").begin_object().name("securitySchemes").begin_object();
  json.name("token").begin_object().field("type", "http").field("scheme", "bearer");
  json.field("description", "admin.token or one of admin.tokens; its role is read or operate, which may read, too").end_object().end_object();
  json.name("schemas").begin_object();
  for (const auto& [name, schema] : kSchemas) json.name(name).raw(schema);
  json.name("Filter").begin_object().field("type", "object").field("minProperties", 1).field("additionalProperties", false).name("properties").begin_object();
  for (const Parameter& condition : conditions()) {
    json.name(condition.name);
    write_schema(json, condition);
  }
  json.end_object().end_object().end_object().end_object();
}

void describe(Call& call) { call.answer(json_response(200, render_openapi())); }

}  // namespace

std::string render_openapi() {
  JsonWriter json;
  json.begin_object().field("openapi", "3.1.0");
  json.name("info").begin_object().field("title", "Belay's admin API").field("version", BELAY_VERSION);
  json.field("description",
             "What an operator's tools may ask of a running spool. Lists are paged by 'limit' and 'before': the 'next' of a page is the 'before' "
             "of the following one, null at the end; a page does not change because something newer came. Times are RFC 3339 in UTC.")
      .end_object();
  std::map<std::string_view, std::vector<const Route*>> paths;
  for (const Route* route : routes()) paths[route->path].push_back(route);
  json.name("paths").begin_object();
  for (const auto& [path, methods] : paths) {
    json.name(path).begin_object();
    for (const Route* route : methods) write_route(json, *route);
    json.end_object();
  }
  json.end_object();
  write_components(json);
  json.end_object();
  return json.take();
}

std::span<const Route> description_routes() {
  static const Route rows[] = {
      {.method = "GET",
       .path = "/v1/openapi.json",
       .role = Role::read,
       .operation = "describe",
       .help = "this description",
       .answer = R"({"type": "object"})",
       .handle = describe},
  };
  return rows;
}

}  // namespace belay::admin
