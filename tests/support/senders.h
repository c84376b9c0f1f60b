// Senders under load that note which of their webhooks, each with a body of its own, were acknowledged. Every sender is a
// thread with one connection; it goes on whatever happens, with the next webhook, until finish(). Thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/process.h"

namespace belay::test {

struct SendersOptions {
  std::vector<std::string> paths = {"/now", "/later"};  // in turn
  Milliseconds pace{2};                                 // between two webhooks of one sender
  size_t padding = 0;                                   // bytes more in each body
  std::string tag = {};                                 // in each body, where several Senders send to one backend
  std::function<void(const std::string& body)> on_acknowledged = {};  // on the sender's thread, right after the answer
};

class Senders {
 public:
  Senders(const std::string& address, int count, SendersOptions options = {});
  ~Senders() { finish(); }
  void finish();

  std::set<std::string> acknowledged() const;  // bodies of those that got a 2xx
  size_t acknowledged_count() const;
  std::map<int, int> statuses() const;         // how many got which; 0: no answer

 private:
  void run(const std::string& address, int sender);

  const SendersOptions options_;
  std::atomic<bool> stop_{false};
  mutable std::mutex mutex_;
  std::set<std::string> acknowledged_;
  std::map<int, int> statuses_;
  std::vector<std::thread> threads_;
};

}  // namespace belay::test
