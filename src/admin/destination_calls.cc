// POST /v1/destinations/{name}/pause, resume, disable and enable.
#include "admin/call.h"
#include "admin/render.h"
#include "base/bytes.h"

namespace belay::admin {

namespace {

void stop(Call& call, spool::StopKind kind, bool on) {
  const std::string_view reason = value_of(call.parameters, "reason");
  const spool::StopRequest wanted{call.name, kind, on, call.caller.name, printable(reason, reason.size())};
  auto done = call.later<spool::StopResult>([](const Result<spool::StopResult>& result) {
    return result ? json_response(200, render_stop(*result)) : error_response(to_api_error(result.error()));
  });
  if (done) call.api.operations.stop(wanted, std::move(*done));
}

constexpr Parameter kReason[] = {{.name = "reason", .help = "why: shown to everybody who asks", .max_bytes = spool::Stop::kWhyBytes}};
constexpr std::string_view kStopped = R"({"type": "object", "required": ["name", "changed"], "properties": {
  "name": {"type": "string"}, "changed": {"type": "boolean", "description": "false: it stood so already"},
  "paused": {"$ref": "#/components/schemas/Mark"}, "disabled": {"$ref": "#/components/schemas/Mark"}}})";

}  // namespace

std::span<const Route> destination_routes() {
  static const Route rows[] = {
      {.method = "POST",
       .path = "/v1/destinations/{name}/pause",
       .operation = "pauseDestination",
       .help = "hold a destination's deliveries back until resume",
       .parameters = kReason,
       .answer = kStopped,
       .handle = [](Call& call) { stop(call, spool::StopKind::paused, true); }},
      {.method = "POST",
       .path = "/v1/destinations/{name}/resume",
       .operation = "resumeDestination",
       .help = "let a paused destination go on",
       .answer = kStopped,
       .handle = [](Call& call) { stop(call, spool::StopKind::paused, false); }},
      {.method = "POST",
       .path = "/v1/destinations/{name}/disable",
       .operation = "disableDestination",
       .help = "stop a destination until enable",
       .parameters = kReason,
       .answer = kStopped,
       .handle = [](Call& call) { stop(call, spool::StopKind::disabled, true); }},
      {.method = "POST",
       .path = "/v1/destinations/{name}/enable",
       .operation = "enableDestination",
       .help = "let a disabled destination go on",
       .answer = kStopped,
       .handle = [](Call& call) { stop(call, spool::StopKind::disabled, false); }},
  };
  return rows;
}

}  // namespace belay::admin
