// The production engine. Threads: one writer that commits groups of everything that waits, one reader for leases, one for
// queries, one for claims (a forward waits for it, behind nobody's bodies). Owner: the spool process. Failure: full → puts are refused, settlements go on; any other error of a commit →
// nothing is taken any more, everything waiting fails, StoreOptions::on_fatal is called once (P10).
#include <algorithm>
#include <atomic>
#include <iterator>
#include <thread>

#include "base/log.h"
#include "spool/books.h"
#include "spool/change.h"
#include "spool/commit_queue.h"
#include "spool/executor.h"
#include "spool/leases.h"
#include "spool/environment.h"
#include "spool/space_watch.h"
#include "spool/store.h"
#include "spool/store_files.h"
#include "spool/store_reader.h"
#include "spool/tables.h"
#include "spool/task_thread.h"

namespace belay::spool {

namespace {

Error dead_error() { return io_error("store: stopped after a storage error"); }
Error closed_error() { return {ErrorKind::refused, "store: closed, the spool is stopping"}; }

// Of messages and of blocks in one step while there is no room: small enough to fit in what is kept free for it.
constexpr uint32_t kRoomStep = 32;
constexpr int kRoomTries = 2;
constexpr uint32_t kFailedStep = 4'096;  // small entries
constexpr uint32_t kClaimStep = 4'096;
constexpr size_t kCareStep = 4'096;    // deliveries that end in one commit of care; a batch more may
constexpr Duration kCareAgain{50};  // when what needed care did not become due with it
constexpr Duration kIdle{250};  // how often an idle writer looks whether there is room again

class LmdbStore final : public Store {
 public:
  LmdbStore(const StoreOptions& options, const Clock& clock, FolderLock lock,
            std::unique_ptr<lmdb::Environment> environment, const Tables& tables, Books books)
      : lock_(std::move(lock)),
        clock_(clock),
        on_fatal_(options.on_fatal),
        on_changed_(options.on_changed),
        environment_(std::move(environment)),
        tables_(tables),
        books_(std::move(books)),
        executor_(options.executor),
        space_(*environment_, clock, options),
        reader_(*environment_, tables_, leases_, [this](Damage damage) { repair(std::move(damage)); }),
        lease_thread_(executor_),
        query_thread_(executor_),
        claim_thread_(executor_) {
    in_doubt_ = lmdb::ReadTransaction(*environment_).get(tables_.meta, Tables::kDoubtKey).has_value();
    if (executor_ == nullptr) writer_ = std::thread([this] { write(); });
  }

  ~LmdbStore() override { close(); }

  void close() override;
  void commit(Batch batch, Done<Committed> done) override;
  bool accepting(std::string* because) const override;
  void lease_due(DestinationId to, WallTime now, uint32_t max, Duration lease, Done<Leases> done) override;
  bool extend(MessageId message, DestinationId destination, WallTime until) override {
    return leases_.extend(message, destination, until);
  }
  void release(MessageId message, DestinationId destination) override { leases_.drop(message, destination); }
  std::vector<DestinationId> waiting_destinations() const override;
  Result<std::vector<Stop>> stops() const override;
  void find_claims(std::vector<wire::ClaimKey> keys, WallTime now, Done<std::vector<std::optional<wire::ClaimedBy>>> done) override {
    ask<std::vector<std::optional<wire::ClaimedBy>>>(
        claim_thread_, [this, keys = std::move(keys), now] { return reader_.find_claims(keys, now); }, done);
  }
  void load(MessageId id, Done<Message> done) override {
    ask<Message>(query_thread_, [this, id] { return reader_.load(id); }, done);
  }
  void deliveries(MessageId id, Done<std::vector<Delivery>> done) override {
    ask<std::vector<Delivery>>(query_thread_, [this, id] { return reader_.deliveries(id, clock_.wall()); }, done);
  }
  void events(const EventQuery& query, std::optional<MessageId> before, uint32_t max, Done<EventPage> done) override;
  void rows(const EventQuery& query, std::vector<MessageId> ids, Done<std::vector<EventRow>> done) override;
  void kept(const KeptQuery& query, std::string before, uint32_t max, Done<KeptPage> done) override {
    ask<KeptPage>(query_thread_, [this, query, before = std::move(before), max] { return reader_.kept(query, before, max); }, done);
  }
  void acts(std::optional<MessageId> before, uint32_t max, Done<ActPage> done) override {
    ask<ActPage>(query_thread_, [this, before, max] { return reader_.acts(before, max); }, done);
  }
  void recount(Done<BooksReport> done) override;
  StoreStats stats() const override;
  bool time_in_doubt() const override { return in_doubt_; }
  void doubt_time(bool on, Done<Committed> done) override;
  std::optional<WallTime> newest() const override { return reader_.newest_message(); }
  void prune(WallTime messages, WallTime history, uint32_t max, Done<Pruned> done) override;

 private:
  template <typename T>
  void ask(TaskThread& thread, std::function<Result<T>()> question, const Done<T>& done) {
    if (!thread.post([question = std::move(question), done] { done(question()); })) done(closed_error());
  }
  void look_after(DestinationId to, WallTime now, uint32_t max, Duration lease, Leases found, std::vector<DueEntry> care,
                  const Done<Leases>& done);
  void count_on(const Done<BooksReport>& done);
  Error refusal_error() const;
  bool offer(Work work);
  void write();
  void write_and_look(std::vector<Work> group);
  void write_group(std::vector<Work> group);
  void make_room();
  bool attempt(std::vector<Work*>& group, std::vector<Result<Committed>>& results);
  void repair(Damage damage);
  void set_refusal(const std::string& reason);
  void fail(const Error& error);

  FolderLock lock_;
  const Clock& clock_;
  std::function<void(const Error&)> on_fatal_;
  std::function<void(const std::vector<MessageId>&)> on_changed_;
  std::vector<MessageId> touched_;  // writer only: by the commit under way
  std::unique_ptr<lmdb::Environment> environment_;
  Tables tables_;
  LeaseTable leases_;
  mutable std::mutex state_mutex_;  // books_ to disk_used_ are written by the writer, read by everybody
  Books books_;
  std::string refusal_;
  LatencyBuckets commit_times_;
  double disk_used_ = 0;
  std::atomic<bool> accepting_{true}, taking_lines_{true};
  std::atomic<bool> dead_{false}, closed_{false};
  std::atomic<uint64_t> commits_{0}, last_commit_us_{0}, used_bytes_{0};
  Executor* const executor_;
  SpaceWatch space_;
  std::string prune_from_;  // writer only
  bool pruned_ = false;     // writer only: there may be room again
  bool look_planned_ = false;  // with an executor
  std::atomic<bool> recounting_{false};
  std::atomic<bool> in_doubt_{false};
  StoreReader reader_;
  CommitQueue queue_;
  std::thread writer_;
  TaskThread lease_thread_, query_thread_, claim_thread_;  // end first: their tasks use all the rest
};

void LmdbStore::close() {
  closed_ = true;
  // What a callback of one thread asks of another that has ended is refused there, so the order does not matter.
  queue_.stop();
  if (writer_.joinable()) writer_.join();
  while (executor_ != nullptr && !executor_->killed()) {
    std::vector<Work> group = queue_.take_now();
    if (group.empty()) break;
    write_group(std::move(group));
  }
  lease_thread_.stop();
  query_thread_.stop();
  claim_thread_.stop();
}

// Why the queue does not take any more.
Error LmdbStore::refusal_error() const {
  if (dead_) return dead_error();
  if (closed_) return closed_error();
  return {ErrorKind::full, "too much waits to be stored"};
}

void LmdbStore::commit(Batch batch, Done<Committed> done) {
  if (dead_ || closed_) return done(refusal_error());
  if (!batch.puts.empty() && !accepting_ && !(batch.own && taking_lines_)) {
    std::string because;
    static_cast<void>(accepting(&because));
    return done(Error{ErrorKind::full, because});
  }
  if (!batch.events.empty() && !taking_lines_) {
    return done(Error{ErrorKind::full, "no room left for lines of the books"});
  }
  Work work{std::move(batch), done, {}, 0};
  if (!offer(std::move(work))) done(refusal_error());
}

bool LmdbStore::accepting(std::string* because) const {
  if (because != nullptr) {
    const std::lock_guard lock(state_mutex_);
    *because = refusal_;
  }
  return accepting_;
}

void LmdbStore::lease_due(DestinationId to, WallTime now, uint32_t max, Duration lease, Done<Leases> done) {
  const auto task = [this, to, now, max, lease, done] {
    std::vector<DueEntry> care;
    auto found = reader_.lease_due(to, now, max, lease, care);
    // Without its due times nothing would ever be sent: that is no error to try again.
    if (!found && found.error().kind == ErrorKind::corrupt) fail(found.error());
    if (!found || care.empty()) return done(std::move(found));
    look_after(to, now, max, lease, std::move(*found), std::move(care), done);
  };
  if (!lease_thread_.post(task)) done(closed_error());
}

// The writer closes batches and ends what is too old; what may be sent then is leased in a second pass. Without that the first
// one's leases are the answer.
void LmdbStore::look_after(DestinationId to, WallTime now, uint32_t max, Duration lease, Leases found, std::vector<DueEntry> care,
                           const Done<Leases>& done) {
  const auto first = std::make_shared<Leases>(std::move(found));
  const auto answer = [first, now, done] {
    first->next_due = std::min(first->next_due.value_or(WallTime::max()), now + kCareAgain);
    done(std::move(*first));
  };
  const auto second_pass = [this, to, now, max, lease, first, done, answer] {
    std::vector<DueEntry> more_care;
    auto more = reader_.lease_due(to, now, max - static_cast<uint32_t>(first->leased.size()), lease, more_care);
    if (!more) return answer();
    std::move(more->leased.begin(), more->leased.end(), std::back_inserter(first->leased));
    first->next_due = more->next_due;
    more_care.empty() ? done(std::move(*first)) : answer();
  };
  Work work;
  work.task = [care = std::move(care)](Change& change) {
    size_t ended = 0;
    for (size_t i = 0; i < care.size() && ended < kCareStep; ++i) ended += change.take_care(care[i]);
  };
  work.done = [this, second_pass, answer](const Result<Committed>& result) {
    if (!result || !lease_thread_.post(second_pass)) answer();
  };
  if (dead_ || !offer(std::move(work))) answer();
}

void LmdbStore::write() {
  while (true) {
    std::vector<Work> group = queue_.take(kIdle);
    if (group.empty() && queue_.stopped()) return;
    write_and_look(std::move(group));
  }
}

void LmdbStore::write_and_look(std::vector<Work> group) {
  if (!group.empty()) write_group(std::move(group));
  set_refusal(space_.refusal(std::exchange(pruned_, false)));
  taking_lines_ = space_.lines_fit();
  used_bytes_ = space_.used_bytes();
  // As the idle writer does.
  const bool looks_again = executor_ != nullptr && (!accepting_ || !taking_lines_) && !dead_;
  if (looks_again && !std::exchange(look_planned_, true)) {
    executor_->run_after(kIdle, [this] {
      look_planned_ = false;
      write_and_look(queue_.take_now());
    });
  }
}

bool LmdbStore::offer(Work work) {
  if (!queue_.offer(std::move(work))) return false;
  if (executor_ != nullptr) executor_->run([this] { write_and_look(queue_.take_now()); });
  return true;
}

// The writer's word; fail() has the last one.
void LmdbStore::set_refusal(const std::string& reason) {
  bool other = false;
  {
    const std::lock_guard lock(state_mutex_);
    if (dead_) return;
    other = accepting_ != reason.empty();
    refusal_ = reason;
    disk_used_ = space_.part();
    accepting_ = reason.empty();
  }
  if (!other) return;
  if (reason.empty()) log::info("spool: intake resumes");
  else log::alert("spool: intake is refused: {}", reason);
}

void LmdbStore::write_group(std::vector<Work> group) {
  std::vector<Result<Committed>> results(group.size(), Result<Committed>(dead_error()));
  std::vector<Work*> left;
  std::string because;
  const bool takes_puts = accepting(&because);
  for (size_t i = 0; i < group.size(); ++i) {
    if (takes_puts || group[i].batch.puts.empty() || group[i].batch.own) left.push_back(&group[i]);
    else results[i] = Error{ErrorKind::full, because};
  }
  std::vector<Result<Committed>> outcomes;
  if (!dead_ && !attempt(left, outcomes)) {
    // No room: puts are refused from now on, and what frees room is tried again without puts and lines.
    space_.refuse("no room left in map or on disk");
    set_refusal("no room left in map or on disk");
    if (space_.less_may_help()) make_room();
    std::vector<Work*> rest;
    for (Work* work : left) {
      if (work->batch.puts.empty() && work->batch.events.empty()) rest.push_back(work);
      else results[static_cast<size_t>(work - group.data())] = Error{ErrorKind::full, "no room left in map or on disk"};
    }
    left = std::move(rest);
    // On a disk that others filled, too: what ended is worth more than what is young. Pages that a commit frees are the next but one's.
    for (int tries = 0; !dead_ && !attempt(left, outcomes) && tries < kRoomTries; ++tries) make_room();
  }
  for (size_t i = 0; i < left.size() && i < outcomes.size(); ++i) {
    results[static_cast<size_t>(left[i] - group.data())] = std::move(outcomes[i]);
  }
  for (size_t i = 0; i < group.size(); ++i) {
    if (group[i].done) group[i].done(std::move(results[i]));
  }
}

// A small step of pruning in a transaction of its own, before anything else is tried on a full disk. It may find no room
// either; then the next timed step tries again.
void LmdbStore::make_room() {
  Work step;
  step.task = [this](Change& change) {
    pruned_ = true;
    change.prune_messages(prune_from_, WallTime{}, true, kRoomStep);
    uint64_t lines = 0;
    change.prune_journal(WallTime::max(), kRoomStep, lines);
  };
  std::vector<Work*> alone{&step};
  std::vector<Result<Committed>> ignored;
  static_cast<void>(attempt(alone, ignored));
}

// One transaction and one durable commit for all of them. False: there was no room, nothing was applied.
bool LmdbStore::attempt(std::vector<Work*>& group, std::vector<Result<Committed>>& results) {
  results.clear();
  if (group.empty()) return true;
  const auto started = std::chrono::steady_clock::now();
  Change change(*environment_, tables_, books_, leases_, clock_.wall());
  touched_.clear();
  if (on_changed_) change.tell(&touched_);
  for (Work* work : group) {
    space_.wrote(work->bytes);
    if (work->task) {
      work->task(change);
      results.emplace_back(Committed{});
    } else {
      results.emplace_back(change.apply(work->batch));
    }
  }
  if (auto committed = change.commit(); !committed) {
    for (auto& result : results) result = committed.error();
    if (committed.error().kind == ErrorKind::full) return false;
    fail({committed.error().kind, "commit failed: " + committed.error().message});
    return true;
  }
  {
    const std::lock_guard lock(state_mutex_);
    change.apply_to(books_);
  }
  if (!touched_.empty()) on_changed_(touched_);
  if (!change.changed()) return true;
  ++commits_;
  const auto us = static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - started).count());
  last_commit_us_ = us;
  const std::lock_guard lock(state_mutex_);
  commit_times_.add(us);
  return true;
}

void LmdbStore::fail(const Error& error) {
  {
    const std::lock_guard lock(state_mutex_);
    if (dead_.exchange(true)) return;
    refusal_ = error.message;
    accepting_ = false;
  }
  log::alert("spool: {}; nothing is taken any more and the spool ends", error.message);
  if (on_fatal_) on_fatal_(error);
}

void LmdbStore::repair(Damage damage) {
  Work work;
  work.task = [this, damage = std::move(damage)](Change& change) {
    const auto known = books_.destinations.find(damage.entry.destination);
    const std::string name = known == books_.destinations.end() ? "" : known->second.name;
    switch (damage.kind) {
      case Damage::Kind::message: change.bury_message(damage.entry.message, damage.reason); break;
      case Damage::Kind::block: change.quarantine(tables_.journal, 'j', damage.key); break;
      case Damage::Kind::stray_due:
        change.mend_due(damage.entry, name, known != books_.destinations.end() && known->second.waiting > 0);
        break;
      case Damage::Kind::delivery: change.renew_delivery(damage.entry, name); break;
      case Damage::Kind::member: change.mend_member(damage.entry, damage.member); break;
    }
  };
  static_cast<void>(offer(std::move(work)));  // refused when much waits: it will be found again
}

std::vector<DestinationId> LmdbStore::waiting_destinations() const {
  std::vector<DestinationId> found;
  const std::lock_guard lock(state_mutex_);
  for (const auto& [id, counts] : books_.destinations) {
    if (counts.waiting > 0) found.push_back(id);
  }
  return found;
}

Result<std::vector<Stop>> LmdbStore::stops() const {
  std::vector<Stop> found;
  lmdb::ReadTransaction transaction(*environment_);
  lmdb::Cursor cursor(transaction, tables_.stops);
  for (bool more = cursor.first(); more; more = cursor.next()) {
    auto stop = read_stop(get_be(cursor.key().data(), 8), cursor.value());
    if (stop) found.push_back(std::move(*stop));
    else log::alert("spool: a stop of a destination is damaged; it is delivered to");
  }
  if (transaction.failed()) return transaction.error();
  return found;
}

void LmdbStore::events(const EventQuery& query, std::optional<MessageId> before, uint32_t max, Done<EventPage> done) {
  const auto search = [this, query, before, max] {
    EventTotals totals;
    {
      const std::lock_guard lock(state_mutex_);
      totals = {.messages = books_.totals.messages, .waiting = books_.waiting(), .widest_ms = books_.totals.widest_ms};
    }
    return reader_.events(query, before, max, clock_.wall(), totals);
  };
  ask<EventPage>(query_thread_, search, done);
}

void LmdbStore::rows(const EventQuery& query, std::vector<MessageId> ids, Done<std::vector<EventRow>> done) {
  const auto search = [this, query, ids = std::move(ids)] {
    int64_t widest_ms = 0;
    {
      const std::lock_guard lock(state_mutex_);
      widest_ms = books_.totals.widest_ms;
    }
    return reader_.rows(query, ids, clock_.wall(), widest_ms);
  };
  ask<std::vector<EventRow>>(query_thread_, search, done);
}

void LmdbStore::recount(Done<BooksReport> done) {
  if (recounting_.exchange(true)) return done(Error{ErrorKind::refused, "the books are being counted already; ask again in a moment"});
  count_on(done);
}

// Piece after piece on the writer's thread, each behind what waits by then: nothing waits longer than a piece takes.
void LmdbStore::count_on(const Done<BooksReport>& done) {
  const auto report = std::make_shared<std::optional<BooksReport>>();
  Work work;
  work.task = [report](Change& change) { *report = change.recount(Recount::kStep); };
  work.done = [this, report, done](const Result<Committed>& result) {
    if (result && !*report) return count_on(done);
    if (!result) {
      const std::lock_guard lock(state_mutex_);
      books_.recount.reset();
    }
    recounting_ = false;
    result ? done(std::move(**report)) : done(result.error());
  };
  if (dead_ || !offer(std::move(work))) {
    recounting_ = false;
    done(refusal_error());
  }
}

StoreStats LmdbStore::stats() const {
  StoreStats stats;
  const WallTime now = clock_.wall();
  std::unordered_map<DestinationId, int64_t> oldest_minutes;
  {
    const std::lock_guard lock(state_mutex_);
    stats.messages = books_.totals.messages;
    stats.events = books_.totals.events;
    stats.quarantined = books_.totals.quarantined;
    stats.refusing_because = refusal_;
    stats.commit_times = commit_times_;
    stats.disk_used = disk_used_;
    for (const auto& [id, counts] : books_.destinations) {
      stats.destinations.push_back({id, counts.name, counts.spooled, counts.waiting, 0, counts.delivered, counts.dead,
                                    counts.cancelled, counts.superseded, std::nullopt, books_.ages.older(id, now)});
      if (const auto minute = books_.ages.oldest_minute(id)) oldest_minutes.emplace(id, *minute);
    }
  }
  std::optional<lmdb::ReadTransaction> transaction;
  if (!oldest_minutes.empty()) transaction.emplace(*environment_);
  for (DestinationBacklog& destination : stats.destinations) {
    destination.sending = leases_.sending(destination.destination);
    const auto minute = oldest_minutes.find(destination.destination);
    if (destination.waiting == 0 || minute == oldest_minutes.end()) continue;
    transaction->renew();  // of thousands of destinations no snapshot is held back for all
    destination.oldest = reader_.oldest(*transaction, destination.destination, minute->second);
  }
  std::sort(stats.destinations.begin(), stats.destinations.end(),
            [](const DestinationBacklog& a, const DestinationBacklog& b) { return a.name < b.name; });
  stats.accepting = accepting_;
  stats.map_bytes = environment_->map_bytes();
  stats.used_bytes = used_bytes_;
  stats.commits = commits_;
  stats.last_commit_us = last_commit_us_;
  return stats;
}

void LmdbStore::doubt_time(bool on, Done<Committed> done) {
  in_doubt_ = on;
  Work work;
  work.task = [on](Change& change) { change.doubt_time(on); };
  work.done = done;
  if (dead_ || !offer(std::move(work))) done(refusal_error());
}

void LmdbStore::prune(WallTime messages, WallTime history, uint32_t max, Done<Pruned> done) {
  auto gone = std::make_shared<Pruned>();
  Work work;
  work.task = [this, messages, history, max, gone](Change& change) {
    const bool full = !accepting_ && space_.own_doing();
    pruned_ = true;
    // Of `belay spool check` and the like, when they were killed: their snapshots would hold freed pages back for ever.
    if (const int dead = environment_->clear_dead_readers(); dead > 0) log::info("spool: {} snapshots of processes that are gone were given up", dead);
    const bool doubt = in_doubt_;
    const WallTime oldest = doubt ? WallTime::min() : messages, oldest_line = doubt ? WallTime::min() : history;
    gone->messages = change.prune_messages(prune_from_, oldest, full, max);
    const uint32_t block_step = std::min(max, kRoomStep);  // each is read whole: the books forget its lines one by one
    const uint32_t blocks = change.prune_journal(full ? WallTime::max() : oldest_line, block_step, gone->lines);
    const uint32_t failed = doubt ? 0 : change.prune_failed(clock_.wall() - StoreOptions::kFailedKept, kFailedStep);
    const uint32_t claims = doubt ? 0 : change.prune_claims(kClaimStep);
    change.prune_clients();
    const uint32_t acts = change.prune_acts(oldest_line, max);
    const uint32_t damaged = change.prune_damaged(oldest, oldest_line, max);
    gone->claims = claims;
    gone->expired = doubt ? 0 : change.expire(max);
    // Young lines make room a little at a time: messages may make it, too.
    gone->more = !prune_from_.empty() || blocks == block_step || acts == max || damaged == max || failed == kFailedStep || claims == kClaimStep || gone->expired == max;
  };
  work.done = [done, gone](const Result<Committed>& result) { result ? done(*gone) : done(result.error()); };
  if (dead_ || !offer(std::move(work))) done(refusal_error());
}

}  // namespace

Result<std::unique_ptr<Store>> open_lmdb_store(const StoreOptions& options, const Clock& clock) {
  auto files = open_store_files(options, OpenFor::running);
  if (!files) return files.error();
  return std::unique_ptr<Store>(std::make_unique<LmdbStore>(options, clock, std::move(files->lock), std::move(files->environment),
                                                            files->tables, std::move(files->books)));
}

}  // namespace belay::spool
