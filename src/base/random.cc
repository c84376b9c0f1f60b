#include "base/random.h"

#include <sys/random.h>

#include "base/check.h"

namespace belay {

uint64_t SystemRandom::next() {
  if (left_ == 0) {
    const ssize_t got = getrandom(buffer_.data(), sizeof(buffer_), 0);
    BELAY_CHECK_NOTE(got == static_cast<ssize_t>(sizeof(buffer_)), "getrandom gives up to 256 bytes without interruption");
    left_ = buffer_.size();
  }
  return buffer_[--left_];
}

}  // namespace belay
