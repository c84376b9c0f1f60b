// The spool of a run, life after life: clock, store, dispatcher, intake, retention and operations put together as
// spool/process.cc does it, on the run's one loop. crash() ends a life at any point between two turns: what was not committed
// is gone, whoever was asked does not answer any more. The oracle looks into the store here.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "event/loop.h"
#include "sim/disk.h"
#include "sim/network.h"
#include "sim/chance.h"
#include "spool/dispatcher.h"
#include "spool/intake.h"
#include "spool/retention.h"
#include "spool/steady_clock.h"
#include "spool/store_operations.h"

namespace belay::sim {

enum class Engine : uint8_t { memory, lmdb };

class SpoolNode {
 public:
  struct Parts {
    event::Loop& loop;
    const SimClock& clock;
    Agenda& agenda;
    Dice& dice;           // of the disk
    Dice& random;         // what production code draws
    Network& network;
    const upstream::Destinations& destinations;
    Engine engine;
    std::string folder;   // socket and files
    uint64_t map_bytes;
    std::function<void()> disk_ran;  // after every task of the store
  };
  explicit SpoolNode(Parts parts);
  ~SpoolNode();

  bool up() const { return life_ != nullptr; }
  uint32_t lives() const { return lives_; }  // how many there were
  void start();
  void crash();
  // As SIGTERM does; `stopped` when it is down.
  void stop(std::function<void()> stopped);

  std::string socket() const { return parts_.folder + "/s"; }
  std::string store_folder() const { return parts_.folder + "/store"; }
  bool disk_full = false, disk_stalled = false;
  const std::string& failure() const { return failure_; }  // it could not start

  // The oracle's questions, answered at once.
  std::vector<spool::Delivery> deliveries(const MessageId& id);
  std::optional<spool::Message> message(const MessageId& id);
  spool::StoreStats stats() { return life_->store->stats(); }
  spool::EventPage events(std::optional<MessageId> before);

  spool::Store& store() { return *life_->store; }
  spool::Operations& operations() { return *life_->operations; }
  void wake(const std::vector<spool::DestinationId>& to) { life_->dispatcher->wake(to); }
  const Clock& clock() const { return *life_->clock; }

 private:
  struct Life {
    std::unique_ptr<SimExecutor> executor;
    std::unique_ptr<spool::SteadyClock> clock;
    std::unique_ptr<spool::Store> store;
    std::unique_ptr<spool::Dispatcher> dispatcher;
    std::unique_ptr<spool::StoreOperations> operations;
    std::unique_ptr<spool::Intake> intake;
    std::unique_ptr<spool::Retention> retention;
  };
  template <typename T>
  Result<T> ask(const std::function<void(spool::Done<T>)>& question);
  Result<std::unique_ptr<spool::Store>> open(Life& life);
  void end(Life& life);

  Parts parts_;
  ClockNow memory_clock_;
  std::unique_ptr<spool::Store> memory_;  // survives crashes, as a disk does
  std::unique_ptr<Life> life_;
  uint32_t lives_ = 0;
  std::string failure_;
};

}  // namespace belay::sim
