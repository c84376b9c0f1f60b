// GET /health, /metrics and /v1/stats: how the gateway is.
#include "admin/call.h"
#include "admin/metrics.h"
#include "admin/render.h"

namespace belay::admin {

namespace {

void health(Call& call) {
  const spool::StoreStats stats = call.api.operations.stats();
  call.answer(json_response(stats.accepting ? 200 : 503, render_health(stats, call.api.uptime())));
}

void metrics(Call& call) {
  const spool::Operations& operations = call.api.operations;
  call.answer(response(200, kMetricsType,
                       render_metrics(operations.stats(), operations.destinations(), operations.counters(), operations.attempts(),
                                      call.api.clock.wall(), call.api.uptime())));
}

void stats(Call& call) {
  const spool::Operations& operations = call.api.operations;
  call.answer(json_response(
      200, render_stats(operations.stats(), operations.destinations(), operations.counters(), call.api.clock.wall(), call.api.uptime())));
}

}  // namespace

std::span<const Route> state_routes() {
  static const Route rows[] = {
      {.method = "GET",
       .path = "/health",
       .role = Role::nobody,
       .operation = "getHealth",
       .help = "whether webhooks are taken; 503 while they are refused",
       .answer = R"({"type": "object", "required": ["status", "version", "uptime_s", "accepting"], "properties": {
         "status": {"enum": ["ok", "refusing"]}, "version": {"type": "string"}, "uptime_s": {"type": "number"},
         "accepting": {"type": "boolean"}, "reason": {"type": "string"}}})",
       .handle = health},
      {.method = "GET",
       .path = "/metrics",
       .role = Role::read,
       .operation = "getMetrics",
       .help = "everything that is counted, in the Prometheus text format",
       .type = "text/plain",
       .handle = metrics},
      {.method = "GET",
       .path = "/v1/stats",
       .role = Role::read,
       .operation = "getStats",
       .help = "requests by source and outcome, backlog and state of every destination, the store",
       .answer = R"({"type": "object", "required": ["version", "uptime_s", "accepting", "requests", "destinations", "store"], "properties": {
         "version": {"type": "string"}, "uptime_s": {"type": "number"}, "accepting": {"type": "boolean"}, "reason": {"type": "string"},
         "requests": {"type": "array", "items": {"type": "object", "required": ["source"], "properties": {"source": {"type": "string"}},
           "additionalProperties": {"type": "integer"}}},
         "destinations": {"type": "array", "items": {"$ref": "#/components/schemas/Destination"}},
         "store": {"type": "object", "additionalProperties": {"type": "integer"}}}})",
       .handle = stats},
  };
  return rows;
}

}  // namespace belay::admin
