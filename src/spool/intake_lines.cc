#include <algorithm>
#include <utility>

#include "base/log.h"
#include "spool/intake_impl.h"

namespace belay::spool {

void Intake::Impl::take_lines(Connection& connection, wire::Events events) {
  const size_t bytes = events.lines.bytes().size();
  connection.lines_came = true;
  connection.line_bytes += bytes;
  if (!events.confirmed.empty()) connection.asked_at = loop.now();
  Lines& into = lines[connection.number];
  into.client = connection.peer.client;
  if (into.ignoring) return;
  if (into.bytes + bytes > kMaxLineBytes) {
    log::warn("spool: more than {} MB of lines of the books wait; a worker keeps the rest of its own", kMaxLineBytes >> 20);
    into.ignoring = true;
    return;
  }
  // Accepted by a backend, but a twin could ask before the commit says so.
  for (const wire::Confirmed& one : events.confirmed) holds.hold_free(one.claims, one.id, connection.number);
  into.bytes += bytes;
  into.waiting.push_back(std::move(events));
}

// A worker that forwards writes its lines at the end of every turn, thousands of times a second, and waits for no answer: they
// stay in the socket for a while, so that it costs one wake-up to read many. Not when they come in masses: the socket would be
// full before the rest ends, and what is asked behind them would wait for one rest after the other.
void Intake::Impl::let_rest(Connection& connection) {
  const bool few = std::exchange(connection.line_bytes, 0) < kRestBelow;
  connection.rests = few && loop.now() - connection.asked_at >= kAskedLately;
  connection.stream.want_frames(!connection.rests);
  if (connection.rests && !rest_timer.running()) rest_timer.start(kLinesRest);
}

void Intake::Impl::read_resting() {
  std::vector<uint64_t> resting;
  for (const auto& [number, connection] : connections) {
    if (std::exchange(connection->rests, false)) resting.push_back(number);
  }
  for (const uint64_t number : resting) {
    if (Connection* const connection = find(number)) connection->stream.read_now();
    // Gone, if that was its end. One that goes on to send lines rests again at the end of the turn.
    if (Connection* const connection = find(number); connection != nullptr && !connection->lines_came) connection->stream.want_frames(true);
  }
}

// The first ones of a connection in one batch; the numbers stay with their lines.
void Intake::Impl::commit_lines(uint64_t number, Lines& from) {
  Batch batch;
  for (size_t bytes = 0; from.committing < from.waiting.size() && bytes < kLinesAtOnce; ++from.committing) {
    const wire::Events& events = from.waiting[from.committing];
    bytes += events.lines.bytes().size();
    batch.events.push_back({from.client, events.number, events.lines, events.confirmed});
  }
  store.commit(std::move(batch), [this, guard = std::weak_ptr(alive), &to = loop, number](Result<Committed> result) {
    to.post([this, guard, number, ok = result.ok()] {
      if (guard.lock()) lines_committed(number, ok);
    });
  });
}

void Intake::Impl::lines_committed(uint64_t number, bool ok) {
  const auto at = lines.find(number);
  BELAY_CHECK_NOTE(at != lines.end(), "lines under way are kept");
  Lines& done = at->second;
  const size_t count = std::exchange(done.committing, 0);
  if (!ok) {
    if (!std::exchange(lines_wait, true)) log::warn("spool: lines of the books could not be committed; they are kept and tried again");
    done.failed = true;
    return;
  }
  if (std::exchange(lines_wait, false)) log::info("spool: lines of the books are committed again");
  Connection* const connection = find(number);
  if (connection != nullptr) {
    wire::append_frame(connection->stream.out(), FrameType::events_ack, static_cast<uint32_t>(done.waiting[count - 1].number), {});
  }
  for (size_t i = 0; i < count; ++i) {
    const wire::Events& events = done.waiting.front();
    for (const wire::Confirmed& one : events.confirmed) holds.release(one.id);
    done.bytes -= events.lines.bytes().size();
    done.waiting.pop_front();
  }
  if (!done.waiting.empty()) return;
  if (done.gone || done.ignoring) drop(number);  // one that was ignored repeats on a new connection
}

}  // namespace belay::spool
