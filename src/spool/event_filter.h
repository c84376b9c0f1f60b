// Whether a line of the books answers a query. Two steps, so that deliveries are only read for lines that passed the first:
// line() looks at the line alone, deliveries() at what became of a stored message. Pure; built once per query.
#pragma once

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text_finder.h"
#include "spool/journal.h"
#include "spool/store.h"

namespace belay::spool {

class EventFilter {
 public:
  explicit EventFilter(const EventQuery& query);

  bool block(const Block& block) const;  // false: no line of it can match
  bool bytes(std::string_view lines);    // the same of its lines before they are taken apart
  // `before` and every part of the query that needs no delivery.
  bool line(const wire::EventView& event, const std::optional<MessageId>& before) const;
  // True when the line alone does not decide.
  bool needs_deliveries(const wire::EventView& event) const;
  bool deliveries(const std::vector<Delivery>& deliveries) const;

  // True when more than deliveries and times decides.
  bool reads_lines() const;
  // The delivery state asked for, if any.
  std::optional<DeliveryState> delivery_state() const { return state_; }
  bool impossible() const { return impossible_; }  // an unknown state
  const EventQuery& query() const { return query_; }

 private:
  bool text(const wire::EventView& event) const;
  bool id(const wire::EventView& event) const;
  const EventQuery& query_;
  TextFinder text_;
  std::optional<wire::Outcome> outcome_;
  std::optional<DeliveryState> state_;
  std::optional<MessageId> text_id_;
  std::optional<std::pair<MessageId, MessageId>> ids_;  // the first and the last one that begin as asked for
  std::vector<uint64_t> hashes_;
  bool impossible_ = false;
};

}  // namespace belay::spool
