// A spool as the admin API sees it, with what a test wants it to hold and a record of what it was asked. Answers at once, or
// from another thread, or not before the test says so.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "spool/operations.h"

namespace belay::test {

class FakeOperations final : public spool::Operations {
 public:
  ~FakeOperations() override {
    for (std::thread& thread : threads_) thread.join();
  }

  spool::StoreStats stats() const override { return held_stats; }
  std::vector<wire::Counters> counters() const override { return held_counters; }

  void events(const spool::EventQuery& query, std::optional<MessageId> before, uint32_t max,
              spool::Done<spool::EventPage> done) override {
    asked_query = query;
    asked_before = before;
    asked_max = max;
    answer<spool::EventPage>(held_events, std::move(done));
  }
  std::vector<spool::AttemptTimes::Row> attempts() const override { return held_attempts; }
  void announce(const spool::Announcement& announcement, spool::Done<MessageId> done) override {
    announced.push_back(announcement);
    done(held_announced);
  }
  spool::Changes changes(uint64_t after, size_t max) const override { return held_feed.after(after, max); }
  void rows(const spool::EventQuery& query, std::vector<MessageId> ids, spool::Done<std::vector<spool::EventRow>> done) override {
    asked_query = query;
    std::vector<spool::EventRow> found;
    for (const MessageId& id : ids) {
      if (const auto at = held_rows.find(id); at != held_rows.end()) found.push_back(at->second);
    }
    answer<std::vector<spool::EventRow>>(std::move(found), std::move(done));
  }
  void message(MessageId id, spool::Done<spool::MessageDetail> done) override {
    asked_id = id;
    answer<spool::MessageDetail>(held_message, std::move(done));
  }
  void act(const spool::BulkRequest& request, spool::Done<spool::BulkResult> done) override {
    asked_replay = request;
    ++replays;
    answer<spool::BulkResult>(held_replay, std::move(done));
  }
  void begin(const spool::BulkRequest& request, spool::Done<spool::BulkResult> done) override {
    asked_replay = request;
    ++begun;
    answer<spool::BulkResult>(held_replay, std::move(done));
  }
  void bulk(MessageId id, spool::Done<spool::BulkResult> done) override {
    asked_id = id;
    answer<spool::BulkResult>(held_replay, std::move(done));
  }
  void halt(MessageId id, std::string who, spool::Done<spool::BulkResult> done) override {
    asked_id = id;
    halted_by = std::move(who);
    answer<spool::BulkResult>(held_replay, std::move(done));
  }
  void kept(const spool::KeptQuery& query, std::string, uint32_t max, spool::Done<spool::KeptPage> done) override {
    asked_kept = query;
    asked_max = max;
    answer<spool::KeptPage>(held_kept, std::move(done));
  }
  void acts(std::optional<MessageId> before, uint32_t max, spool::Done<spool::ActPage> done) override {
    asked_before = before;
    asked_max = max;
    answer<spool::ActPage>(held_acts, std::move(done));
  }
  void recount(spool::Done<spool::BooksReport> done) override { answer<spool::BooksReport>(held_books, std::move(done)); }

  void stop(const spool::StopRequest& request, spool::Done<spool::StopResult> done) override {
    asked_stop = request;
    answer<spool::StopResult>(held_stop, std::move(done));
  }
  spool::DestinationReports destinations() const override { return held_reports; }

  // Answers that were held back.
  void release() {
    std::vector<std::function<void()>> ready;
    {
      const std::lock_guard lock(mutex_);
      ready.swap(held_back_);
    }
    for (const auto& run : ready) run();
  }
  size_t held_back() {
    const std::lock_guard lock(mutex_);
    return held_back_.size();
  }

  spool::StoreStats held_stats;
  std::vector<wire::Counters> held_counters;
  Result<spool::EventPage> held_events = spool::EventPage{};
  Result<spool::MessageDetail> held_message = invalid("no such message");
  Result<spool::BulkResult> held_replay = spool::BulkResult{};
  Result<spool::KeptPage> held_kept = spool::KeptPage{};
  Result<spool::ActPage> held_acts = spool::ActPage{};
  Result<spool::BooksReport> held_books = spool::BooksReport{};
  Result<spool::StopResult> held_stop = spool::StopResult{};
  spool::DestinationReports held_reports;
  std::vector<spool::AttemptTimes::Row> held_attempts;
  std::vector<spool::Announcement> announced;
  Result<MessageId> held_announced = MessageId{};
  spool::Feed held_feed;
  std::map<MessageId, spool::EventRow> held_rows;
  bool other_thread = false;
  bool hold_back = false;

  spool::EventQuery asked_query;
  std::optional<MessageId> asked_before;
  uint32_t asked_max = 0;
  MessageId asked_id;
  spool::StopRequest asked_stop;
  spool::BulkRequest asked_replay;
  spool::KeptQuery asked_kept;
  std::string halted_by;
  int replays = 0, begun = 0;

 private:
  template <typename T>
  void answer(const Result<T>& result, spool::Done<T> done) {
    if (hold_back) {
      const std::lock_guard lock(mutex_);
      held_back_.push_back([result, done = std::move(done)] { done(result); });
    } else if (other_thread) {
      threads_.emplace_back([result, done = std::move(done)] { done(result); });
    } else {
      done(result);
    }
  }

  std::mutex mutex_;
  std::vector<std::function<void()>> held_back_;
  std::vector<std::thread> threads_;
};

}  // namespace belay::test
