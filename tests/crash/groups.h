// What the writer and the test of groups share: keys, messages, and calls of the store that wait.
#pragma once

#include <future>
#include <string>

#include "spool/store.h"

namespace belay::crash {

struct Key {
  wire::GroupKind kind;
  uint8_t number;
};
inline constexpr Key kKeys[] = {{wire::GroupKind::order_wait, 1}, {wire::GroupKind::order_skip, 2}, {wire::GroupKind::debounce, 3},
                                {wire::GroupKind::debounce, 4},   {wire::GroupKind::batch_array, 5}, {wire::GroupKind::batch_array, 6}};

inline std::string name_of(const Key& key) { return std::to_string(static_cast<int>(key.kind)) + "/" + std::to_string(key.number); }
inline std::string name_of(const wire::Grouping& grouping) { return name_of(Key{grouping.kind, grouping.key[0]}); }

inline spool::StoreOptions options_of(const std::string& folder) {
  spool::StoreOptions options;
  options.folder = folder;
  options.map_bytes = uint64_t{256} << 20;
  return options;
}

inline spool::NewMessage message(const MessageId& id, const Key& key, const Clock& clock) {
  spool::Message made;
  made.event.id = id;
  made.event.received = clock.wall();
  made.event.outcome = wire::Outcome::spooled;
  made.event.source = "acme";
  made.event.destination = "crm";
  made.request.method = "POST";
  made.request.target = "/";
  made.request.body = '"' + id.to_string() + '"';
  made.request.has_body = true;
  spool::Delivery delivery;
  delivery.message = id;
  delivery.destination = spool::destination_id("crm");
  delivery.destination_name = "crm";
  delivery.due = clock.wall();
  delivery.grouping = {key.kind, {}, 3, 10, 4, 1'000};
  delivery.grouping.key.fill(key.number);
  delivery.expires = clock.wall() + std::chrono::hours(1);
  return {std::make_shared<const spool::Message>(std::move(made)), {delivery}, {}};
}

inline bool commit(spool::Store& store, spool::Batch batch) {
  std::promise<bool> done;
  store.commit(std::move(batch), [&done](const Result<spool::Committed>& result) { done.set_value(result.ok()); });
  return done.get_future().get();
}

inline Result<spool::Leases> lease(spool::Store& store, WallTime now) {
  std::promise<Result<spool::Leases>> done;
  store.lease_due(spool::destination_id("crm"), now, 16, Duration(20), [&done](Result<spool::Leases> result) { done.set_value(std::move(result)); });
  return done.get_future().get();
}

}  // namespace belay::crash
