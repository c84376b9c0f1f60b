// An object that lives on its own thread with its own loop: made there, used there through post(), destroyed there when the
// Resident goes. The spool's intake and dispatcher are such objects. `make` may fail; then get() is null.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <thread>

#include "event/loop.h"

namespace belay::spool {

template <typename T>
class Resident {
 public:
  explicit Resident(std::function<std::unique_ptr<T>(event::Loop&)> make) {
    std::promise<void> made;
    thread_ = std::thread([this, &made, make = std::move(make)] {
      event::Loop loop;
      const std::unique_ptr<T> object = make(loop);
      loop_ = &loop;
      object_ = object.get();
      made.set_value();
      loop.run();
    });
    made.get_future().wait();
  }
  ~Resident() {
    loop_->post([loop = loop_] { loop->stop(); });
    thread_.join();
  }
  Resident(const Resident&) = delete;
  Resident& operator=(const Resident&) = delete;

  T* get() const { return object_; }  // only its thread-safe members from other threads
  void post(std::function<void(T&)> task) {
    loop_->post([object = object_, task = std::move(task)] { task(*object); });
  }

 private:
  event::Loop* loop_ = nullptr;
  T* object_ = nullptr;
  std::thread thread_;
};

}  // namespace belay::spool
