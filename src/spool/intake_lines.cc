#include "base/log.h"
#include "spool/intake_impl.h"

namespace belay::spool {

namespace {

std::vector<MessageId> confirmed_in(const Batch& batch) {
  std::vector<MessageId> ids;
  for (const EventBatch& events : batch.events) {
    for (const wire::Confirmed& one : events.confirmed) ids.push_back(one.id);
  }
  return ids;
}

}  // namespace

Batch Intake::Impl::lines_of(const Connection& connection, size_t from) {
  Batch batch;
  for (size_t i = from; i < connection.lines.size(); ++i) {
    const wire::Events& events = connection.lines[i];
    batch.events.push_back({connection.peer.client, events.number, events.lines, events.confirmed});
  }
  return batch;
}

void Intake::Impl::release_confirmed(const std::vector<MessageId>& ids) {
  for (const MessageId& id : ids) holds.release(id);
}

// All that waits of one connection in one batch; the numbers stay with their lines.
void Intake::Impl::commit_lines(Connection& connection) {
  connection.committing = connection.lines.size();
  Batch batch = lines_of(connection, 0);
  std::vector<MessageId> confirmed = confirmed_in(batch);
  store.commit(std::move(batch), [this, guard = std::weak_ptr(alive), &to = loop, number = connection.number, count = connection.committing,
                                  confirmed = std::move(confirmed)](Result<Committed> result) mutable {
    to.post([this, guard, number, count, confirmed = std::move(confirmed), ok = result.ok()] {
      if (!guard.lock()) return;
      if (ok) release_confirmed(confirmed);
      Connection* done = find(number);
      if (done == nullptr) return;
      if (ok) {
        const auto last = static_cast<uint32_t>(done->lines[count - 1].number);
        wire::append_frame(done->stream.out(), FrameType::events_ack, last, {});
        done->lines.erase(done->lines.begin(), done->lines.begin() + static_cast<ptrdiff_t>(count));
        done->committing = 0;
      }  // else kept, and tried again with the next state tick
      lines_committed(number, ok);
    });
  });
}

// What a worker that has gone sent last; what it held is given up when that stands.
void Intake::Impl::commit_last_lines(const Connection& connection) {
  store.commit(lines_of(connection, connection.committing),
               [this, guard = std::weak_ptr(alive), &to = loop, number = connection.number](Result<Committed> result) {
                 to.post([this, guard, number, ok = result.ok()] {
                   if (!guard.lock()) return;
                   if (!ok) log::warn("spool: the last lines of a worker that has gone could not be committed");
                   holds.release_all(number);
                 });
               });
}

void Intake::Impl::lines_committed(uint64_t number, bool ok) {
  if (ok) return;
  log::warn("spool: lines of the books could not be committed; they are kept and tried again");
  if (Connection* connection = find(number)) connection->failed = true;
}

}  // namespace belay::spool
