#include <event2/event.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "event/address.h"
#include "event/stream.h"

namespace belay::event {

struct Listener::Impl {
  Loop& loop;
  int fd;
  Accepted accepted;
  Timer pause_over;
  ::event* ready = nullptr;
  bool paused = false;          // by the owner
  bool out_of_resources = false;  // said once, until an accept works again
  bool* destroyed = nullptr;

  Impl(Loop& loop_in, int fd_in, Accepted accepted_in)
      : loop(loop_in), fd(fd_in), accepted(std::move(accepted_in)), pause_over(loop_in, [this] { watch(); }) {
    ready = event_new(loop.base(), fd, EV_READ | EV_PERSIST, &Impl::arrived, this);
    BELAY_CHECK(ready != nullptr);
    watch();
  }
  ~Impl() {
    if (destroyed != nullptr) *destroyed = true;
    event_free(ready);
  }

  void watch() {
    if (!paused) BELAY_CHECK(event_add(ready, nullptr) == 0);
  }

  static void arrived(int, short, void* self_pointer) {
    auto* self = static_cast<Impl*>(self_pointer);
    self->loop.entered();
    self->burst();
  }

  void burst() {
    bool gone = false;
    destroyed = &gone;
    Accepted take = std::move(accepted);  // it may destroy the Listener while it runs
    for (int taken = 0; taken < kBurst && !gone && !paused; ++taken) {
      sockaddr_storage peer{};
      socklen_t length = sizeof peer;
      const int client = ::accept4(fd, reinterpret_cast<sockaddr*>(&peer), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (client < 0) {
        if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO) continue;
        if (errno != EAGAIN) back_off(errno);
        break;
      }
      out_of_resources = false;
      take(client, from_sockaddr(peer, length));
    }
    if (gone) return;
    destroyed = nullptr;
    accepted = std::move(take);
  }

  // Out of descriptors or memory: the kernel keeps the connections in the backlog; asking again at once would only burn CPU.
  void back_off(int error) {
    if (!out_of_resources) log::warn("accept: {}; accepting pauses until some are free", std::strerror(error));
    out_of_resources = true;
    event_del(ready);
    pause_over.start(kPause);
  }
};

Listener::Listener(Loop& loop, int fd, Accepted accepted) : impl_(std::make_unique<Impl>(loop, fd, std::move(accepted))) {}
Listener::~Listener() = default;

void Listener::pause() {
  impl_->paused = true;
  impl_->pause_over.cancel();
  event_del(impl_->ready);
}

void Listener::resume() {
  impl_->paused = false;
  impl_->watch();
}

}  // namespace belay::event
