#include "cli/filters.h"

#include "admin/json_writer.h"
#include "admin/parameters.h"

namespace belay::cli {

namespace {

using Given = std::vector<std::pair<const char*, const std::string*>>;

Given given(const Filters& filters) {
  return {{"source", &filters.source}, {"destination", &filters.destination}, {"status", &filters.status}, {"type", &filters.type}, {"resource", &filters.resource},
          {"id", &filters.id},         {"since", &filters.since},             {"until", &filters.until},   {"text", &filters.text}};
}

void add(CLI::App& command, const char* flag, std::string& into, const char* type, const char* help) {
  command.add_option(flag, into, help)->type_name(type)->group("Filters");
}

void add_shared(CLI::App& command, Filters& filters, const char* destination) {
  add(command, "--source", filters.source, "NAME", "Received by this source");
  add(command, "--destination", filters.destination, "NAME", destination);
  add(command, "--type", filters.type, "TYPE", "Event type, as identify found it");
  add(command, "--resource", filters.resource, "ID", "Resource, as identify found it");
  add(command, "--id", filters.id, "ID", "Id of the message, or the sender's own one; how it begins is enough");
  add(command, "--since", filters.since, "TIME", "Not older than: 24h, 2026-01-31 or 2026-01-31T09:30:00Z");
  add(command, "--until", filters.until, "TIME", "Not newer than, in the same forms");
  add(command, "--text", filters.text, "TEXT", "Text anywhere in the line");
}

}  // namespace

void add_filter_flags(CLI::App& command, Filters& filters) {
  add_shared(command, filters, "For this destination");
  add(command, "--status", filters.status, "WORD", "Outcome (forwarded, spooled, rejected, …) or delivery state (scheduled, dead, …)");
}

void add_quarantine_filter_flags(CLI::App& command, Filters& filters) { add_shared(command, filters, "Nothing could be made for this destination"); }

bool any(const Filters& filters) {
  for (const auto& [name, value] : given(filters)) {
    if (!value->empty()) return true;
  }
  return false;
}

Result<std::vector<std::pair<std::string, std::string>>> read_filters(const Filters& filters, WallTime now) {
  std::vector<std::pair<std::string, std::string>> conditions;
  spool::EventQuery query;
  const auto wrong = [](const admin::ApiError& error) { return invalid(error.error + "; " + error.hint); };
  for (const auto& [name, value] : given(filters)) {
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

Result<spool::EventQuery> read_query(const Filters& filters, WallTime now) {
  const auto conditions = read_filters(filters, now);
  if (!conditions) return conditions.error();
  spool::EventQuery query;
  for (const auto& [name, value] : *conditions) {
    if (const auto error = admin::set_condition(name, value, now, query)) return invalid(error->error);
  }
  return query;
}

}  // namespace belay::cli
