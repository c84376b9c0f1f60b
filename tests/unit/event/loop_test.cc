#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <thread>
#include <vector>

#include "event/loop.h"

using namespace belay;
using namespace belay::event;
using namespace std::chrono_literals;

TEST_CASE("posted_tasks_run_in_order_and_what_they_post_runs_on_a_later_turn") {
  Loop loop;
  std::vector<int> order;
  loop.post([&] {
    order.push_back(1);
    loop.post([&] { order.push_back(3); });
  });
  loop.post([&] { order.push_back(2); });
  CHECK(loop.run_until([&] { return order.size() == 3; }, 60s));
  CHECK_EQ(order, std::vector<int>{1, 2, 3});
}

TEST_CASE("other_threads_post_and_nothing_is_lost") {
  Loop loop;
  constexpr int kEach = 5'000;
  int seen = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < kEach; ++n) {
        loop.post([&] {
          if (++seen == 4 * kEach) loop.stop();
        });
      }
    });
  }
  loop.run();
  for (auto& thread : threads) thread.join();
  CHECK_EQ(seen, 4 * kEach);
}

TEST_CASE("a_loop_made_on_one_thread_runs_on_another") {
  Loop loop;
  std::atomic<bool> ran = false;
  std::thread runner([&] { loop.run(); });
  loop.post([&] {
    ran = true;
    loop.stop();
  });
  runner.join();
  CHECK(ran);
}

TEST_CASE("stop_before_run_makes_run_return_at_once") {
  Loop loop;
  loop.stop();
  loop.run();
  CHECK_FALSE(loop.run_until([] { return false; }, 10ms));
}

TEST_CASE("a_timer_is_never_early_and_can_be_cancelled_and_restarted") {
  Loop loop;
  for (const Duration wait : {1ms, 7ms, 23ms}) {
    bool fired = false;
    const auto start = std::chrono::steady_clock::now();
    Timer timer(loop, [&] {
      fired = true;
      CHECK(std::chrono::steady_clock::now() - start >= wait);
    });
    timer.start(wait);
    CHECK(timer.running());
    REQUIRE(loop.run_until([&] { return fired; }, 60s));
    CHECK_FALSE(timer.running());
  }
  int first = 0, second = 0;
  Timer cancelled(loop, [&] { ++first; });
  Timer restarting(loop, [&] {
    if (++second < 3) restarting.start(1ms);
  });
  cancelled.start(1ms);
  cancelled.cancel();
  restarting.start(1ms);
  CHECK(loop.run_until([&] { return second == 3; }, 60s));
  CHECK_EQ(first, 0);
}

TEST_CASE("a_timer_may_destroy_itself_in_its_callback") {
  Loop loop;
  auto timer = std::unique_ptr<Timer>();
  std::string captured = "the closure lives until it returns, wherever its Timer went";
  bool fired = false;
  timer = std::make_unique<Timer>(loop, [&timer, &fired, captured] {
    timer.reset();
    fired = captured.size() > 10;
  });
  timer->start(1ms);
  CHECK(loop.run_until([&] { return fired; }, 60s));
}

TEST_CASE("time_stands_still_inside_a_turn") {
  Loop loop;
  MonotonicTime first{}, second{};
  loop.post([&] { first = loop.now(); });
  loop.post([&] {
    const auto end = std::chrono::steady_clock::now() + 3ms;
    while (std::chrono::steady_clock::now() < end) {
    }
    second = loop.now();
  });
  CHECK(loop.run_until([&] { return second != MonotonicTime{}; }, 60s));
  CHECK(first == second);
}

TEST_CASE("turn_end_hooks_run_after_the_callbacks_in_order_and_may_destroy_themselves_or_others") {
  Loop loop;
  std::string order;
  auto third = std::unique_ptr<Loop::TurnEnd>();
  auto second = std::unique_ptr<Loop::TurnEnd>();
  const Loop::TurnEnd first(loop, [&] { order += 'a'; });
  second = std::make_unique<Loop::TurnEnd>(loop, [&] {
    order += 'b';
    third.reset();
    second.reset();
  });
  third = std::make_unique<Loop::TurnEnd>(loop, [&] { order += 'c'; });
  const Loop::TurnEnd fourth(loop, [&] { order += 'd'; });
  loop.post([&] { order += '1'; });
  loop.post([&] { order += '2'; });
  CHECK(loop.run_until([&] { return order.size() >= 5; }, 60s));
  CHECK_EQ(order.substr(0, 5), "12abd");
}

TEST_CASE("a_turn_end_hook_made_by_a_hook_runs_in_the_same_turn_also_behind_the_last_one") {
  Loop loop;
  std::string order;
  std::unique_ptr<Loop::TurnEnd> made;
  const Loop::TurnEnd only(loop, [&] {
    order += 'a';
    if (made == nullptr) made = std::make_unique<Loop::TurnEnd>(loop, [&] { order += 'b'; });
  });
  loop.post([&] { order += '1'; });
  CHECK(loop.run_until([&] { return !order.empty(); }, 60s));
  CHECK_EQ(order, "1ab");
}

TEST_CASE("signals_run_their_handler_and_a_later_handler_replaces_it") {
  Loop loop;
  int first = 0, second = 0;
  loop.on_signal(SIGUSR1, [&] { ++first; });
  ::raise(SIGUSR1);
  CHECK(loop.run_until([&] { return first == 1; }, 60s));
  loop.on_signal(SIGUSR1, [&] { ++second; });
  ::raise(SIGUSR1);
  CHECK(loop.run_until([&] { return second == 1; }, 60s));
  CHECK_EQ(first, 1);
}

TEST_CASE("a_forked_child_gets_the_default_action_and_leaves_the_parents_loop_alone") {
  Loop loop;
  bool told = false, fired = false;
  loop.on_signal(SIGUSR2, [&] { told = true; });
  auto timer = std::make_unique<Timer>(loop, [&] { fired = true; });
  const pid_t child = ::fork();
  if (child == 0) {
    loop.after_fork();
    timer.reset();
    ::raise(SIGUSR2);
    ::_exit(7);
  }
  int status = 0;
  REQUIRE_EQ(::waitpid(child, &status, 0), child);
  CHECK(WIFSIGNALED(status));
  CHECK_EQ(WTERMSIG(status), SIGUSR2);
  timer->start(1ms);
  CHECK(loop.run_until([&] { return fired; }, 60s));
  CHECK_FALSE(told);
  ::raise(SIGUSR2);
  CHECK(loop.run_until([&] { return told; }, 60s));
}

TEST_CASE("deadlines_fire_once_after_their_time_and_moving_one_is_enough_to_postpone_it") {
  Loop loop;
  DeadlineList list(loop);
  int early = 0, moved = 0, never = 0;
  DeadlineList::Entry a, b, c;
  list.link(a, [&] { ++early; });
  list.link(b, [&] { ++moved; });
  list.link(c, [&] { ++never; });
  a.set(loop.now() + 1ms);
  b.set(loop.now() + 1ms);
  b.set(loop.now() + 250ms);
  CHECK(loop.run_until([&] { return early == 1; }, 60s));
  CHECK_EQ(moved, 0);
  CHECK(a.when() == MonotonicTime::max());
  CHECK(loop.run_until([&] { return moved == 1; }, 60s));
  CHECK_EQ(early, 1);
  CHECK_EQ(never, 0);
}

TEST_CASE("a_sweep_survives_entries_that_destroy_themselves_their_neighbours_and_add_new_ones") {
  Loop loop;
  DeadlineList list(loop);
  constexpr size_t kEntries = 9;
  std::vector<std::unique_ptr<DeadlineList::Entry>> entries;
  std::vector<std::unique_ptr<DeadlineList::Entry>> added;
  int fired = 0;
  for (size_t i = 0; i < kEntries; ++i) {
    entries.push_back(std::make_unique<DeadlineList::Entry>());
    list.link(*entries[i], [&, i] {
      ++fired;
      entries[(i + 1) % kEntries].reset();
      entries[(i + kEntries - 1) % kEntries].reset();
      entries[i].reset();
      added.push_back(std::make_unique<DeadlineList::Entry>());
      list.link(*added.back(), [&] { ++fired; });
      added.back()->set(loop.now());
    });
    entries[i]->set(loop.now());
  }
  CHECK(loop.run_until([&] { return fired == 8; }, 60s));  // 4 of 9 fire, each adds one that fires later
  list.link(*added[0], [&] { fired = 100; });             // linking again replaces
  added[0]->set(loop.now());
  CHECK(loop.run_until([&] { return fired == 100; }, 60s));
}
