// The disk of a run: when each task of the store has its turn, how slow that is, how full it is, and what a crash forgets. The
// memory engine, which answers at once and knows no full disk, stands behind SlowStore, which has both.
#pragma once

#include <deque>
#include <memory>
#include <set>
#include <utility>

#include "sim/chance.h"
#include "spool/executor.h"
#include "spool/store.h"

namespace belay::sim {

// Of one life of the spool: after kill() nothing of it runs any more.
class SimExecutor final : public spool::Executor {
 public:
  SimExecutor(Agenda& agenda, Dice& dice, const bool& stalled, std::function<void()> ran)
      : agenda_(agenda), dice_(dice), stalled_(stalled), ran_(std::move(ran)) {}
  void run(std::function<void()> task) override;
  void run_after(Duration wait, std::function<void()> task) override;
  bool killed() const override { return *killed_; }
  void kill() { *killed_ = true; }
  // The oracle's own questions wait for nothing.
  void at_once(bool on) { at_once_ = on; }

 private:
  Agenda& agenda_;
  Dice& dice_;
  const bool& stalled_;
  std::function<void()> ran_;
  bool at_once_ = false;
  std::shared_ptr<bool> killed_ = std::make_shared<bool>(false);
};

// The clock of the spool's present life, for an engine that outlives it.
class ClockNow final : public Clock {
 public:
  explicit ClockNow(const Clock& first) : now_(&first) {}
  void use(const Clock& clock) { now_ = &clock; }
  WallTime wall() const override { return now_->wall(); }
  MonotonicTime monotonic() const override { return now_->monotonic(); }

 private:
  const Clock* now_;
};

class SlowStore final : public spool::Store {
 public:
  template <typename T>
  using Done = spool::Done<T>;
  SlowStore(spool::Store& inner, SimExecutor& executor, const bool& full) : inner_(inner), executor_(executor), full_(full) {}
  ~SlowStore() override { forget_leases(); }

  void close() override;
  void commit(spool::Batch batch, Done<spool::Committed> done) override;
  bool accepting(std::string* because) const override;
  void lease_due(spool::DestinationId to, WallTime now, uint32_t max, Duration lease, Done<spool::Leases> done) override;
  bool extend(MessageId message, spool::DestinationId destination, WallTime until) override {
    return inner_.extend(message, destination, until);
  }
  void release(MessageId message, spool::DestinationId destination) override { inner_.release(message, destination); }
  std::vector<spool::DestinationId> waiting_destinations() const override { return inner_.waiting_destinations(); }
  void find_claims(std::vector<wire::ClaimKey> keys, WallTime now,
                   Done<std::vector<std::optional<wire::ClaimedBy>>> done) override;
  void load(MessageId id, Done<spool::Message> done) override { inner_.load(id, std::move(done)); }
  void deliveries(MessageId id, Done<std::vector<spool::Delivery>> done) override { inner_.deliveries(id, std::move(done)); }
  void events(const spool::EventQuery& query, std::optional<MessageId> before, uint32_t max, Done<spool::EventPage> done) override {
    inner_.events(query, before, max, std::move(done));
  }
  void rows(const spool::EventQuery& query, std::vector<MessageId> ids, Done<std::vector<spool::EventRow>> done) override {
    inner_.rows(query, std::move(ids), std::move(done));
  }
  spool::StoreStats stats() const override { return inner_.stats(); }
  Result<std::vector<spool::Stop>> stops() const override { return inner_.stops(); }
  std::optional<WallTime> newest() const override { return inner_.newest(); }
  void prune(WallTime messages, WallTime history, uint32_t max, Done<spool::Pruned> done) override;

 private:
  void forget_leases();
  void later(std::function<void()> task);

  spool::Store& inner_;
  SimExecutor& executor_;
  const bool& full_;
  bool closed_ = false;
  std::deque<std::function<void()>> tasks_;  // in the order they came, as one writer takes them
  std::set<std::pair<MessageId, spool::DestinationId>> leased_;
};

}  // namespace belay::sim
