#include "spool/kept_filter.h"

namespace belay::spool {

std::string_view to_string(KeptKind kind) {
  switch (kind) {
    case KeptKind::refused: return "refused";
    case KeptKind::unmade: return "unmade";
    case KeptKind::damaged: return "damaged";
  }
  return "unknown";
}

bool KeptFilter::in_period(const MessageId& id) const {
  const EventQuery& query = query_.filter;
  return (!query.since || id.time() >= *query.since) && (!query.until || id.time() <= *query.until);
}

bool KeptFilter::takes(const Kept& row) const {
  if (!wants(row.kind)) return false;
  const EventQuery& query = query_.filter;
  if (row.kind == KeptKind::damaged) {  // nobody knows of whom it was
    const bool asks_more = !query.source.empty() || !query.destination.empty() || !query.type.empty() || !query.resource.empty() || !query.text.empty() ||
                           (!query.id.empty() && !row.event.id.to_string().starts_with(query.id) && !row.key.starts_with(query.id));
    return !asks_more && (row.event.id.empty() || in_period(row.event.id));
  }
  if (!query.destination.empty() && (!row.delivery || row.delivery->destination_name != query.destination)) return false;
  wire::EventLines lines;
  lines.add(row.event);
  std::string_view rest = lines.bytes();
  const auto line = wire::next_event(rest);
  return line && filter_.line(*line, {});
}

}  // namespace belay::spool
