// POST /v1/replay, which answers when all is done, and the acts on many that go on by themselves: POST /v1/replays, /v1/cancels,
// /v1/releases, /v1/drops; then GET tells how far one is and DELETE stops it.
#include "admin/bulk_body.h"
#include "admin/call.h"
#include "admin/render.h"

namespace belay::admin {

namespace {

using spool::Deed;

constexpr size_t kMaxBody = size_t{256} << 10;

void act(Call& call, Deed deed, bool wait) {
  spool::BulkRequest wanted;
  wanted.deed = deed;
  wanted.who = call.caller.name;
  if (const auto wrong = read_bulk(call.request.body, call.api.clock.wall(), wanted)) return call.refuse(*wrong);
  wait = wait || wanted.dry_run;
  auto done = call.later<spool::BulkResult>([dry_run = wanted.dry_run, wait](const Result<spool::BulkResult>& result) {
    return result ? json_response(wait ? 200 : 202, render_bulk(*result, dry_run)) : error_response(to_api_error(result.error()));
  });
  if (!done) return;
  wait ? call.api.operations.act(wanted, std::move(*done)) : call.api.operations.begin(wanted, std::move(*done));
}

event::SimpleResponse answer_state(const Result<spool::BulkResult>& result) {
  if (result) return json_response(200, render_bulk(*result, false));
  if (result.error().kind == ErrorKind::invalid) return error_response({404, result.error().message, "GET /v1/audit lists what was done"});
  return error_response(to_api_error(result.error()));
}

// The id of an act of another kind is not there.
Result<spool::BulkResult> of_kind(Deed deed, Result<spool::BulkResult> known) {
  if (!known || known->deed == deed || (deed == Deed::replay && known->deed == Deed::reapply)) return known;
  return invalid(known->id.to_string() + " is a " + std::string(to_string(known->deed)) + ", not a " + std::string(to_string(deed)));
}

void state(Call& call, Deed deed) {
  auto done = call.later<spool::BulkResult>([deed](const Result<spool::BulkResult>& known) { return answer_state(of_kind(deed, known)); });
  if (done) call.api.operations.bulk(call.id, std::move(*done));
}

void halt(Call& call, Deed deed) {
  const auto done = call.later<spool::BulkResult>(answer_state);
  if (!done) return;
  const auto halt_it = [&api = call.api, id = call.id, who = call.caller.name, deed, tell = *done](const Result<spool::BulkResult>& known) {
    auto fits = of_kind(deed, known);
    fits ? api.operations.halt(id, who, tell) : tell(std::move(fits));
  };
  call.api.operations.bulk(call.id, call.api.gate.pass<spool::BulkResult>(halt_it));
}

constexpr std::string_view kIdsOrFilter = R"({"type": "object", "additionalProperties": false, "properties": {
  "ids": {"type": "array", "minItems": 1, "maxItems": 1000, "items": {"$ref": "#/components/schemas/Id"}},
  "filter": {"$ref": "#/components/schemas/Filter"}, "dry_run": {"type": "boolean", "default": false}},
  "oneOf": [{"required": ["ids"]}, {"required": ["filter"]}]})";
constexpr std::string_view kReplay = R"({"type": "object", "additionalProperties": false, "properties": {
  "ids": {"type": "array", "minItems": 1, "maxItems": 1000, "items": {"$ref": "#/components/schemas/Id"}},
  "filter": {"$ref": "#/components/schemas/Filter"}, "dry_run": {"type": "boolean", "default": false},
  "as": {"enum": ["sent", "reapplied"], "default": "sent", "description": "the same bytes, or what the present rules make of the request"}},
  "oneOf": [{"required": ["ids"]}, {"required": ["filter"]}]})";
constexpr std::string_view kOfQuarantine = R"({"type": "object", "additionalProperties": false, "properties": {
  "ids": {"type": "array", "minItems": 1, "maxItems": 1000, "items": {"type": "string"}},
  "filter": {"type": "object", "minProperties": 1, "additionalProperties": {"type": "string"}}, "dry_run": {"type": "boolean", "default": false}},
  "oneOf": [{"required": ["ids"]}, {"required": ["filter"]}]})";
constexpr std::string_view kResult = R"({"type": "object", "required": ["action", "outcome", "running", "dry_run", "messages", "deliveries", "ids", "skipped"], "properties": {
  "id": {"$ref": "#/components/schemas/Id"}, "action": {"type": "string"}, "who": {"type": "string"}, "what": {"type": "string"},
  "outcome": {"type": "string"}, "running": {"type": "boolean"}, "dry_run": {"type": "boolean"},
  "looked_at": {"type": "integer"}, "messages": {"type": "integer"}, "deliveries": {"type": "integer"}, "left_out": {"type": "integer"},
  "ids": {"type": "array", "items": {"type": "string"}},
  "skipped": {"type": "array", "items": {"type": "object", "required": ["id", "reason"], "properties": {
    "id": {"type": "string"}, "reason": {"type": "string"}}}}}})";

}  // namespace

std::span<const Route> bulk_routes() {
  static const Route rows[] = {
      {.method = "POST", .path = "/v1/replay", .operation = "replay", .help = "queue ended deliveries again, by ids or by a filter; answers when all is done", .body = kReplay, .body_max = kMaxBody, .answer = kResult,
       .handle = [](Call& call) { act(call, Deed::replay, true); }},
      {.method = "POST", .path = "/v1/replays", .operation = "beginReplay", .help = "the same, and goes on by itself: 202 with its id", .body = kReplay, .body_max = kMaxBody, .answer = kResult,
       .handle = [](Call& call) { act(call, Deed::replay, false); }},
      {.method = "GET", .path = "/v1/replays/{id}", .role = Role::read, .operation = "getReplay", .help = "how far it is", .answer = kResult, .handle = [](Call& call) { state(call, Deed::replay); }},
      {.method = "DELETE", .path = "/v1/replays/{id}", .operation = "stopReplay", .help = "stop it; what it did stays done", .answer = kResult, .handle = [](Call& call) { halt(call, Deed::replay); }},
      {.method = "POST", .path = "/v1/cancels", .operation = "beginCancel", .help = "give up deliveries that wait or are dead", .body = kIdsOrFilter, .body_max = kMaxBody, .answer = kResult,
       .handle = [](Call& call) { act(call, Deed::cancel, false); }},
      {.method = "GET", .path = "/v1/cancels/{id}", .role = Role::read, .operation = "getCancel", .help = "how far it is", .answer = kResult, .handle = [](Call& call) { state(call, Deed::cancel); }},
      {.method = "DELETE", .path = "/v1/cancels/{id}", .operation = "stopCancel", .help = "stop it; what it did stays done", .answer = kResult, .handle = [](Call& call) { halt(call, Deed::cancel); }},
      {.method = "POST", .path = "/v1/releases", .operation = "beginRelease", .help = "let what is in quarantine through the present rules, and out when they accept it", .body = kOfQuarantine, .body_max = kMaxBody, .answer = kResult,
       .handle = [](Call& call) { act(call, Deed::release, false); }},
      {.method = "GET", .path = "/v1/releases/{id}", .role = Role::read, .operation = "getRelease", .help = "how far it is", .answer = kResult, .handle = [](Call& call) { state(call, Deed::release); }},
      {.method = "DELETE", .path = "/v1/releases/{id}", .operation = "stopRelease", .help = "stop it; what it did stays done", .answer = kResult, .handle = [](Call& call) { halt(call, Deed::release); }},
      {.method = "POST", .path = "/v1/drops", .operation = "beginDrop", .help = "forget what is in quarantine", .body = kOfQuarantine, .body_max = kMaxBody, .answer = kResult,
       .handle = [](Call& call) { act(call, Deed::drop, false); }},
      {.method = "GET", .path = "/v1/drops/{id}", .role = Role::read, .operation = "getDrop", .help = "how far it is", .answer = kResult, .handle = [](Call& call) { state(call, Deed::drop); }},
      {.method = "DELETE", .path = "/v1/drops/{id}", .operation = "stopDrop", .help = "stop it; what it did stays done", .answer = kResult, .handle = [](Call& call) { halt(call, Deed::drop); }},
  };
  return rows;
}

}  // namespace belay::admin
