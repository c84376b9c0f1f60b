// GET /v1/audit, /v1/quarantine and /v1/books: who did what, what is set aside, and whether the books balance.
#include "admin/call.h"
#include "base/bytes.h"
#include "admin/render.h"

namespace belay::admin {

namespace {

constexpr uint32_t kDefaultLimit = 50;

uint32_t limit_of(const Parameters& parameters) {
  return static_cast<uint32_t>(parse_u64(value_of(parameters, "limit")).value_or(kDefaultLimit));
}

void audit(Call& call) {
  auto done = call.later<spool::ActPage>([](const Result<spool::ActPage>& page) {
    return page ? json_response(200, render_acts(*page)) : error_response(to_api_error(page.error()));
  });
  if (done) call.api.operations.acts(MessageId::parse(value_of(call.parameters, "before")), limit_of(call.parameters), std::move(*done));
}

const std::vector<std::string_view>& kinds() {
  static const std::vector<std::string_view> words = {"refused", "unmade", "damaged"};
  return words;
}

void quarantine(Call& call) {
  spool::KeptQuery query;
  for (const auto& [name, value] : call.parameters) {
    if (name == "limit" || name == "before") continue;
    if (name != "kind") {
      if (const auto wrong = set_condition(name, value, call.api.clock.wall(), query.filter)) return call.refuse(*wrong);
      continue;
    }
    for (const auto kind : {spool::KeptKind::refused, spool::KeptKind::unmade, spool::KeptKind::damaged}) {
      if (to_string(kind) == value) query.kind = kind;
    }
  }
  if (const auto wrong = check_period(query.filter)) return call.refuse(*wrong);
  auto done = call.later<spool::KeptPage>([](const Result<spool::KeptPage>& page) {
    return page ? json_response(200, render_kept(*page)) : error_response(to_api_error(page.error()));
  });
  if (done) call.api.operations.kept(query, std::string(value_of(call.parameters, "before")), limit_of(call.parameters), std::move(*done));
}

void books(Call& call) {
  auto done = call.later<spool::BooksReport>([](const Result<spool::BooksReport>& report) {
    return report ? json_response(200, render_books(*report)) : error_response(to_api_error(report.error()));
  });
  if (done) call.api.operations.recount(std::move(*done));
}

using Type = Parameter::Type;
constexpr Parameter kLimit{.name = "limit", .type = Type::integer, .help = "rows of a page (50)", .min = 1, .max = EventsCall::kMaxLimit};
constexpr Parameter kAuditParameters[] = {kLimit, {.name = "before", .type = Type::id, .help = "the 'next' of the page before"}};
constexpr Parameter kQuarantineParameters[] = {
    {.name = "kind", .type = Type::word, .help = "refused by a source's rules, unmade by a transform, or a damaged record", .words = kinds},
    {.name = "source", .help = "received by this source"},
    {.name = "destination", .help = "nothing could be made for this destination"},
    {.name = "type", .help = "event type"},
    {.name = "resource", .help = "resource"},
    {.name = "id", .help = "how the message's id begins, the one identify found, or the name of a damaged record"},
    {.name = "since", .type = Type::moment, .help = "not older than"},
    {.name = "until", .type = Type::moment, .help = "not newer than"},
    {.name = "text", .help = "text anywhere in the line"},
    kLimit,
    {.name = "before", .help = "the 'next' of the page before", .max_bytes = 2 * kMaxParameterBytes}};
constexpr std::string_view kAccounts = R"({"type": "array", "items": {"type": "object", "required": ["balanced", "counters"], "properties": {
  "name": {"type": "string"}, "balanced": {"type": "boolean"}, "counters": {"type": "object", "additionalProperties": {
    "type": "object", "properties": {"counted": {"type": "integer"}, "found": {"type": "integer"}, "damaged": {"type": "integer"}}}}}}})";

}  // namespace

std::span<const Route> audit_routes() {
  static const std::string books_answer = R"({"type": "object", "required": ["balanced", "destinations", "sources", "store"], "properties": {
    "balanced": {"type": "boolean"}, "messages": {"type": "integer"}, "deliveries": {"type": "integer"}, "lines": {"type": "integer"},
    "damaged": {"type": "integer"}, "damaged_lines": {"type": "integer"}, "store": {"type": "object"}, "destinations": )" + std::string(kAccounts) + R"(, "sources": )" + std::string(kAccounts) + "}}";
  static const Route rows[] = {
      {.method = "GET", .path = "/v1/audit", .role = Role::read, .operation = "listActs", .help = "who did what and when, newest first", .parameters = kAuditParameters,
       .answer = R"({"type": "object", "required": ["acts", "next"], "properties": {"next": {"type": ["string", "null"]},
         "acts": {"type": "array", "items": {"type": "object", "required": ["id", "at", "who", "action", "what", "outcome"], "properties": {
           "id": {"$ref": "#/components/schemas/Id"}, "at": {"type": "string"}, "who": {"type": "string"}, "action": {"type": "string"},
           "what": {"type": "string"}, "outcome": {"type": "string"}, "messages": {"type": "integer"}, "deliveries": {"type": "integer"},
           "left_out": {"type": "integer"}}}}}})",
       .handle = audit},
      {.method = "GET", .path = "/v1/quarantine", .role = Role::read, .operation = "listQuarantine", .help = "what is set aside: refused requests, deliveries for which nothing could be made, damaged records", .parameters = kQuarantineParameters,
       .answer = R"({"type": "object", "required": ["kept", "next"], "properties": {"next": {"type": ["string", "null"]},
         "kept": {"type": "array", "items": {"type": "object", "required": ["kind", "id", "reason", "bytes"], "properties": {
           "kind": {"enum": ["refused", "unmade", "damaged"]}, "id": {"type": "string"}, "reason": {"type": "string"}, "bytes": {"type": "integer"},
           "table": {"type": "string"}, "begins_hex": {"type": "string"}}}}}})",
       .handle = quarantine},
      {.method = "GET", .path = "/v1/books", .role = Role::read, .operation = "recountBooks", .help = "counts everything again and compares: seconds for a million webhooks", .answer = books_answer, .handle = books},
  };
  return rows;
}

}  // namespace belay::admin
