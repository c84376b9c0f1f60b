#include "sim/disk.h"

namespace belay::sim {

void SimExecutor::run(std::function<void()> task) {
  if (at_once_) return task();
  Duration wait = dice_.chance(0.9) ? dice_.ms(0, 4) : dice_.ms(5, 60);
  if (stalled_) wait += dice_.ms(200, 3'000);
  run_after(wait, std::move(task));
}

void SimExecutor::run_after(Duration wait, std::function<void()> task) {
  agenda_.after(wait, [this, killed = killed_, task = std::move(task)] {
    if (*killed) return;
    task();
    ran_();
  });
}

void SlowStore::close() {
  closed_ = true;
  while (!executor_.killed() && !tasks_.empty()) {
    const auto task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
  }
}

void SlowStore::later(std::function<void()> task) {
  tasks_.push_back(std::move(task));
  executor_.run([this] {
    if (tasks_.empty()) return;
    const auto next = std::move(tasks_.front());
    tasks_.pop_front();
    next();
  });
}

// Who sends what is known to the process alone.
void SlowStore::forget_leases() {
  for (const auto& [message, destination] : leased_) inner_.release(message, destination);
}

bool SlowStore::accepting(std::string* because) const {
  if (because != nullptr && full_) *because = "disk 99% full";
  return !full_;
}

void SlowStore::commit(spool::Batch batch, Done<spool::Committed> done) {
  if (closed_) return done(Error{ErrorKind::refused, "store: closed"});
  if (full_ && !batch.puts.empty()) return done(Error{ErrorKind::full, "disk 99% full"});
  later([this, batch = std::move(batch), done = std::move(done)]() mutable {
    if (full_ && !batch.puts.empty()) return done(Error{ErrorKind::full, "disk 99% full"});
    for (const spool::NewMessage& put : batch.puts) {
      for (const spool::Delivery& delivery : put.deliveries) {
        if (delivery.state == spool::DeliveryState::sending) leased_.emplace(delivery.message, delivery.destination);
      }
    }
    inner_.commit(std::move(batch), std::move(done));
  });
}

void SlowStore::lease_due(spool::DestinationId to, WallTime now, uint32_t max, Duration lease, Done<spool::Leases> done) {
  if (closed_) return done(Error{ErrorKind::refused, "store: closed"});
  later([this, to, now, max, lease, done = std::move(done)] {
    inner_.lease_due(to, now, max, lease, [this, &done](Result<spool::Leases> found) {
      if (found) {
        for (const spool::Leased& one : found->leased) leased_.emplace(one.delivery.message, one.delivery.destination);
      }
      done(std::move(found));
    });
  });
}

void SlowStore::find_claims(std::vector<wire::ClaimKey> keys, WallTime now, Done<std::vector<std::optional<wire::ClaimedBy>>> done) {
  later([this, keys = std::move(keys), now, done = std::move(done)]() mutable { inner_.find_claims(std::move(keys), now, std::move(done)); });
}

void SlowStore::prune(WallTime messages, WallTime history, uint32_t max, Done<spool::Pruned> done) {
  if (closed_) return done(Error{ErrorKind::refused, "store: closed"});
  later([this, messages, history, max, done = std::move(done)]() mutable { inner_.prune(messages, history, max, std::move(done)); });
}

}  // namespace belay::sim
