// Whether a row of the quarantine answers a query. Pure; built once per query, which must outlive it.
#pragma once

#include "spool/event_filter.h"
#include "spool/store.h"

namespace belay::spool {

class KeptFilter {
 public:
  explicit KeptFilter(const KeptQuery& query) : query_(query), filter_(query.filter) {}
  bool takes(const Kept& row) const;
  bool wants(KeptKind kind) const { return !query_.kind || *query_.kind == kind; }

 private:
  bool in_period(const MessageId& id) const;
  const KeptQuery& query_;
  EventFilter filter_;
};

}  // namespace belay::spool
