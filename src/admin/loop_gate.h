// Brings results that arrive on any thread to the owner's loop, and drops those that arrive after the owner is gone. Made and
// destroyed on the loop's thread, by an owner that lives shorter than the loop; the callbacks it hands out may live longer
// than both.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "base/result.h"
#include "event/loop.h"

namespace belay::admin {

class LoopGate {
 public:
  explicit LoopGate(event::Loop& loop) : state_(std::make_shared<State>()) { state_->loop = &loop; }
  ~LoopGate() {
    const std::lock_guard lock(state_->mutex);
    state_->loop = nullptr;
  }
  LoopGate(const LoopGate&) = delete;
  LoopGate& operator=(const LoopGate&) = delete;

  // For any thread, once: `then` runs with the result on a later turn of the loop, or never when the gate is gone by then.
  template <typename T>
  std::function<void(Result<T>)> pass(std::function<void(Result<T>)> then) const {
    return [state = state_, then = std::move(then)](Result<T> result) {
      const std::lock_guard lock(state->mutex);
      if (state->loop == nullptr) return;
      state->loop->post([state, then, kept = std::make_shared<Result<T>>(std::move(result))] {
        // No lock while `then` runs: only this thread closes the gate.
        if (state->loop != nullptr) then(std::move(*kept));
      });
    };
  }

 private:
  struct State {
    std::mutex mutex;
    event::Loop* loop = nullptr;  // written on the loop's thread, under the mutex
  };
  std::shared_ptr<State> state_;
};

}  // namespace belay::admin
