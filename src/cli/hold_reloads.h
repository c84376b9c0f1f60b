// First thing in the commands that SIGHUP tells to reload (run, proxy, spool): the signal stays pending, over exec too, until
// the process listens to it. Else one that comes while the rules or the store are still being read would end the process.
#pragma once

#include <csignal>

#include "base/check.h"

namespace belay::cli {

inline void hold_reloads() {
  sigset_t reloads;
  sigemptyset(&reloads);
  sigaddset(&reloads, SIGHUP);
  BELAY_CHECK(::sigprocmask(SIG_BLOCK, &reloads, nullptr) == 0);
}

}  // namespace belay::cli
