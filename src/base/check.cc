#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace belay {

void check_failed(const char* file, int line, const char* condition, const char* note) {
  std::fprintf(stderr, "belay: internal error at %s:%d: BELAY_CHECK(%s) %s\n", file, line, condition, note);
  std::abort();
}

}  // namespace belay
