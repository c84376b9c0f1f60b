// What the store tests share: both engines behind one way to open them, calls that wait for their answer, sample messages.
#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>

#include "base/id.h"
#include "base/random.h"
#include "spool/store.h"

namespace belay::spool::test {

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "belay-store-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Waits for an answer of the store; a test fails rather than hangs.
template <typename T>
Result<T> wait_for(const std::function<void(Done<T>)>& ask) {
  auto promise = std::make_shared<std::promise<Result<T>>>();
  std::future<Result<T>> answer = promise->get_future();
  ask([promise](Result<T> result) { promise->set_value(std::move(result)); });
  REQUIRE(answer.wait_for(std::chrono::seconds(30)) == std::future_status::ready);
  return answer.get();
}

inline Result<Committed> commit(Store& store, Batch batch) {
  return wait_for<Committed>([&](Done<Committed> done) { store.commit(std::move(batch), std::move(done)); });
}
inline Result<Leases> lease(Store& store, const std::string& to, WallTime now, uint32_t max = 100,
                            Duration for_ms = Duration(60'000)) {
  return wait_for<Leases>(
      [&](Done<Leases> done) { store.lease_due(destination_id(to), now, max, for_ms, std::move(done)); });
}
inline Result<Message> load(Store& store, const MessageId& id) {
  return wait_for<Message>([&](Done<Message> done) { store.load(id, std::move(done)); });
}
inline Result<std::vector<Delivery>> deliveries(Store& store, const MessageId& id) {
  return wait_for<std::vector<Delivery>>(
      [&](Done<std::vector<Delivery>> done) { store.deliveries(id, std::move(done)); });
}
inline Result<EventPage> events(Store& store, const EventQuery& query, std::optional<MessageId> before = {},
                                uint32_t max = 50) {
  return wait_for<EventPage>([&](Done<EventPage> done) { store.events(query, before, max, std::move(done)); });
}
inline Pruned prune(Store& store, WallTime messages, WallTime history, uint32_t max = 1000) {
  auto gone = wait_for<Pruned>([&](Done<Pruned> done) { store.prune(messages, history, max, std::move(done)); });
  REQUIRE(gone.ok());
  return *gone;
}

// Makes messages with ascending ids on its own clock.
class Maker {
 public:
  explicit Maker(const Clock& clock, uint64_t seed = 1) : clock_(clock), random_(seed), ids_(clock, random_) {}

  MessageId id() { return ids_.next(); }
  wire::Event event(wire::Outcome outcome, const std::string& source = "acme") {
    wire::Event event;
    event.id = id();
    event.received = clock_.wall();
    event.outcome = outcome;
    event.status = 200;
    event.source = source;
    event.type = "order.created";
    event.path = "/webhooks/" + source;
    event.method = "POST";
    return event;
  }
  NewMessage message(const std::vector<std::string>& destinations, const std::string& body = "{\"a\":1}",
                     const std::string& source = "acme") {
    Message made;
    made.event = event(wire::Outcome::spooled, source);
    made.event.destination = destinations.front();
    made.request.method = "POST";
    made.request.target = "/webhooks/acme?x=1";
    made.request.fields = {{"Content-Type", "application/json"}, {"X-Odd-CASE", "as it came"}};
    made.request.body = body;
    made.request.has_body = true;
    NewMessage put;
    for (const std::string& name : destinations) {
      Delivery delivery;
      delivery.message = made.event.id;
      delivery.destination = destination_id(name);
      delivery.destination_name = name;
      delivery.due = clock_.wall();
      put.deliveries.push_back(std::move(delivery));
    }
    put.message = std::make_shared<const Message>(std::move(made));
    return put;
  }
  std::string bytes(size_t size) {
    std::string made(size, '\0');
    for (char& c : made) c = static_cast<char>(random_.next());
    return made;
  }

 private:
  const Clock& clock_;
  SeededRandom random_;
  IdGenerator ids_;
};

inline Batch put(NewMessage message) {
  Batch batch;
  batch.puts.push_back(std::move(message));
  return batch;
}
inline Batch settle(Delivery delivery) {
  Batch batch;
  batch.settlements.push_back({std::move(delivery)});
  return batch;
}
inline Batch lines(const std::vector<wire::Event>& events) {
  Batch batch;
  batch.events.emplace_back();
  for (const wire::Event& event : events) batch.events.back().lines.add(event);
  return batch;
}
inline Delivery with_state(Delivery delivery, DeliveryState state, WallTime due = {}) {
  delivery.state = state;
  if (due != WallTime{}) delivery.due = due;
  return delivery;
}
inline DestinationBacklog backlog(const Store& store, const std::string& name) {
  for (const DestinationBacklog& destination : store.stats().destinations) {
    if (destination.name == name) return destination;
  }
  return {};
}

}  // namespace belay::spool::test
