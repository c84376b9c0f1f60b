#include "cli/filters.h"

#include "admin/json_writer.h"
#include "admin/parameters.h"

namespace belay::cli {

void add_filter_flags(CLI::App& command, Filters& filters) {
  const auto add = [&](const char* flag, std::string& into, const char* type, const char* help) {
    command.add_option(flag, into, help)->type_name(type)->group("Filters");
  };
  add("--source", filters.source, "NAME", "Received by this source");
  add("--destination", filters.destination, "NAME", "For this destination");
  add("--status", filters.status, "WORD", "Outcome (forwarded, spooled, rejected, …) or delivery state (scheduled, dead, …)");
  add("--type", filters.type, "TYPE", "Event type, as identify found it");
  add("--resource", filters.resource, "ID", "Resource, as identify found it");
  add("--since", filters.since, "TIME", "Not older than: 24h, 2026-01-31 or 2026-01-31T09:30:00Z");
  add("--until", filters.until, "TIME", "Not newer than, in the same forms");
  add("--text", filters.text, "TEXT", "Text anywhere in the line");
}

Result<std::vector<std::pair<std::string, std::string>>> read_filters(const Filters& filters, WallTime now) {
  const std::pair<const char*, const std::string*> given[] = {
      {"source", &filters.source}, {"destination", &filters.destination}, {"status", &filters.status},
      {"type", &filters.type},     {"resource", &filters.resource},       {"since", &filters.since},
      {"until", &filters.until},   {"text", &filters.text}};
  std::vector<std::pair<std::string, std::string>> conditions;
  spool::EventQuery query;
  const auto wrong = [](const admin::ApiError& error) { return invalid(error.error + "; " + error.hint); };
  for (const auto& [name, value] : given) {
    if (value->empty()) continue;
    if (const auto error = admin::set_condition(name, *value, now, query)) return wrong(*error);
    conditions.emplace_back(name, *value);
  }
  if (const auto error = admin::check_period(query)) return wrong(*error);
  for (auto& [name, value] : conditions) {
    if (name == "since") value = admin::format_time(*query.since);
    if (name == "until") value = admin::format_time(*query.until);
  }
  return conditions;
}

}  // namespace belay::cli
