// Change: what an import brings, in the states it had elsewhere (import.h).
#include <algorithm>

#include "spool/change.h"
#include "spool/import.h"

namespace belay::spool {

namespace {

// A block of imported lines reaches over no longer time: the widest one of a store decides how far every search looks.
constexpr Duration kWidestBlock{60'000};

}  // namespace

void Change::restore_line(const wire::EventView& event) {
  if (!block_.empty() && event.id.time() - block_.min().time() > kWidestBlock) write_block();
  add_line(event);
}

Change::Stored Change::restore(TransferMessage& from, const std::set<std::pair<MessageId, DestinationId>>& batches) {
  const Stored stored = put_message(from.message, from.deliveries.empty(), true);
  changed_ = changed_ || stored == Stored::now || stored == Stored::line_only;
  if (stored != Stored::now) return stored;
  for (TransferDelivery& one : from.deliveries) {
    Delivery& delivery = one.delivery;
    if (delivery.destination_name != from.message.event.destination) block_.add_destination(delivery.destination_name);
    const bool batch_comes = batches.contains({delivery.batch, delivery.destination});
    if (delivery.grouped()) {
      books_.totals.turns = std::max(books_.totals.turns, delivery.turn);
      if (one.in_group) groups_.restore(delivery, batch_comes);
    }
    write_delivery(delivery);
  }
  return Stored::now;
}

bool Change::restore(const wire::Event& line) {
  if (!is_new(messages_, line.id.view())) return false;
  wire::EventLines lines;
  lines.add(line);
  std::string_view rest = lines.bytes();
  const auto event = wire::next_event(rest);
  BELAY_CHECK(event.ok());
  restore_line(*event);
  changed_ = true;
  return true;
}

bool Change::restore(const StoredClaim& claim) {
  const bool taken = restore_claim(transaction_, tables_, claim, now_);
  changed_ = changed_ || taken;
  return taken;
}

bool Change::restore(const Stop& from) {
  bool any = false;
  for (const StopKind kind : {StopKind::paused, StopKind::disabled}) {
    const StopMark& mark = from.mark(kind);
    if (mark.on) any = stop({from.destination, from.name, kind, true, mark.by, mark.why, mark.since}).changed || any;
  }
  return any;
}

bool Change::restore(const Act& act) {
  if (transaction_.get(tables_.acts, act.id.view())) return false;
  put_act(act);
  return true;
}

bool Change::restore(const TransferClient& client) {
  const bool later = books_.first_time(client.id, client.number);
  changed_ = changed_ || later;
  return later;
}

void Change::restore(const ForgottenDeliveries& forgotten) { books_.restored(forgotten); }
void Change::restore(const ForgottenLines& forgotten) { books_.restored(forgotten); }

void Change::end_import() {
  transaction_.remove(tables_.meta, Tables::kImportKey);
  changed_ = true;
}

}  // namespace belay::spool
