#include "base/core_dumps.h"

#include <sys/prctl.h>
#include <sys/resource.h>

namespace belay {

void set_core_dumps(bool allowed) {
  // The first alone is enough for the kernel, also where cores go to a program; the limit is what a parent's exec hands on. Both may
  // be out of our hands in a sandbox, which then has its own.
  ::prctl(PR_SET_DUMPABLE, allowed ? 1 : 0);
  rlimit limit{};
  if (::getrlimit(RLIMIT_CORE, &limit) != 0) return;
  limit.rlim_cur = allowed ? limit.rlim_max : 0;
  ::setrlimit(RLIMIT_CORE, &limit);
}

}  // namespace belay
