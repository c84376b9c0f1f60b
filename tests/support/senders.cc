#include "support/senders.h"

#include <optional>
#include <stdexcept>

#include "support/sender.h"

namespace belay::test {

Senders::Senders(const std::string& address, int count, SendersOptions options) : options_(std::move(options)) {
  for (int i = 0; i < count; ++i) threads_.emplace_back([this, address, i] { run(address, i); });
}

void Senders::finish() {
  stop_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

std::set<std::string> Senders::acknowledged() const {
  const std::lock_guard lock(mutex_);
  return acknowledged_;
}

size_t Senders::acknowledged_count() const {
  const std::lock_guard lock(mutex_);
  return acknowledged_.size();
}

std::map<int, int> Senders::statuses() const {
  const std::lock_guard lock(mutex_);
  return statuses_;
}

void Senders::run(const std::string& address, int sender) {
  const std::string rest = ",\"tag\":\"" + options_.tag + "\",\"padding\":\"" + std::string(options_.padding, 'x') + "\"}";
  std::optional<Connection> connection;
  for (size_t number = 0; !stop_; ++number) {
    const std::string body = "{\"sender\":" + std::to_string(sender) + ",\"number\":" + std::to_string(number) + rest;
    std::optional<Answer> answer;
    try {
      if (!connection) connection.emplace(address);
      if (connection->send(request("POST", options_.paths[number % options_.paths.size()], {}, body))) answer = connection->read_answer();
    } catch (const std::runtime_error&) {  // refused: it has stopped
    }
    const bool taken = answer && answer->status / 100 == 2;
    if (taken && options_.on_acknowledged) options_.on_acknowledged(body);
    {
      const std::lock_guard lock(mutex_);
      ++statuses_[answer ? answer->status : 0];
      if (taken) acknowledged_.insert(body);
    }
    if (!answer || answer->field("Connection") == "close") connection.reset();
    std::this_thread::sleep_for(options_.pace);
  }
}

}  // namespace belay::test
