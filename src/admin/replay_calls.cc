// POST /v1/replay: what ended is queued again.
#include "admin/call.h"
#include "admin/render.h"
#include "admin/replay_body.h"

namespace belay::admin {

namespace {

constexpr size_t kMaxReplayBody = size_t{256} << 10;

void replay(Call& call) {
  spool::ReplayRequest wanted;
  if (const auto wrong = read_replay(call.request.body, call.api.clock.wall(), wanted)) return call.refuse(*wrong);
  auto done = call.later<spool::ReplayResult>([dry_run = wanted.dry_run](const Result<spool::ReplayResult>& result) {
    return result ? json_response(200, render_replay(*result, dry_run)) : error_response(to_api_error(result.error()));
  });
  if (done) call.api.operations.replay(wanted, std::move(*done));
}

}  // namespace

std::span<const Route> replay_routes() {
  static const Route rows[] = {
      {.method = "POST",
       .path = "/v1/replay",
       .role = Role::operate,
       .operation = "replay",
       .help = "queue ended deliveries again, by ids or by a filter; with dry_run only count them",
       .body = R"({"type": "object", "additionalProperties": false, "properties": {
         "ids": {"type": "array", "minItems": 1, "maxItems": 1000, "items": {"$ref": "#/components/schemas/Id"}},
         "filter": {"$ref": "#/components/schemas/Filter"}, "dry_run": {"type": "boolean", "default": false}},
         "oneOf": [{"required": ["ids"]}, {"required": ["filter"]}]})",
       .body_max = kMaxReplayBody,
       .answer = R"({"type": "object", "required": ["dry_run", "messages", "deliveries", "ids", "skipped"], "properties": {
         "dry_run": {"type": "boolean"}, "messages": {"type": "integer"}, "deliveries": {"type": "integer"},
         "ids": {"type": "array", "items": {"$ref": "#/components/schemas/Id"}},
         "skipped": {"type": "array", "items": {"type": "object", "required": ["id", "reason"], "properties": {
           "id": {"$ref": "#/components/schemas/Id"}, "reason": {"type": "string"}}}}}})",
       .handle = replay},
  };
  return rows;
}

}  // namespace belay::admin
