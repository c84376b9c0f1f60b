// The proxy worker's side of the spool: connects, reconnects (kReconnect, doubling to kReconnectMax), gathers frames and
// writes them once a turn, matches answers to puts. One per worker, on its loop. Interface first, so that the simulator can
// put its own in place.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/random.h"
#include "base/result.h"
#include "event/loop.h"
#include "wire/messages.h"

namespace belay::wire {

class SpoolClient {
 public:
  // ok: the spool answered. unavailable (it is away, or the connection broke) and timeout: the message may or may not be
  // stored, so the caller must not acknowledge it. full: too much is waiting to be written.
  using PutDone = std::function<void(Result<PutResult>)>;
  virtual ~SpoolClient() = default;
  virtual bool available() const = 0;
  // `done` runs on a later turn, exactly once unless the client is destroyed first.
  virtual void put(const Put& put, PutDone done) = 0;
  using ClaimDone = std::function<void(Result<ClaimResult>)>;
  // Asks for the keys of a webhook that is about to be forwarded. ok and fresh: they are held for `request.id` until the message is
  // put, recorded with its claims, or released. Errors as for put(). `done` as for put().
  virtual void claim(const ClaimRequest& request, ClaimDone done) = 0;
  virtual void release(MessageId id) = 0;
  // Queues a line of the books; kept and repeated until the spool has committed it. When kMaxEvents wait, the oldest are
  // dropped and counted in events_dropped(). `claims`: of a forwarded webhook whose backend said 2xx; durable with the line.
  virtual void record(const Event& event, const std::vector<Claim>& claims) = 0;
  void record(const Event& event) { record(event, {}); }
  virtual void send_counters(const Counters& counters) = 0;
  virtual uint64_t events_dropped() const = 0;
  virtual size_t waiting() const = 0;  // puts and events not acknowledged
  // Writes what this turn gathered now. The connection calls it before answers go out, so that a worker's death after an
  // answer cannot lose the line about it.
  virtual void flush() = 0;
};

struct ClientOptions {
  static constexpr Duration kReconnect{50};
  static constexpr Duration kReconnectMax{1'000};
  static constexpr size_t kMaxEvents = 100'000;
  static constexpr size_t kMaxBuffered = size_t{256} << 20;  // bytes not yet written or acknowledged
  std::string socket_path;
  Duration put_timeout{10'000};
  // What the spool says of destinations, whenever it says it; and that the connection to it is lost. Either may be empty.
  std::function<void(const DestinationStates&)> destinations;
  std::function<void()> away;
  Random* random = nullptr;  // what its number is drawn from; null: the system's
};

std::unique_ptr<SpoolClient> connect_spool(event::Loop& loop, const ClientOptions& options);

}  // namespace belay::wire
