#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>

#include "support/skip.h"

namespace {
bool skipped = false;
}

void belay::test::skip(const std::string& why) {
  skipped = true;
  std::fprintf(stderr, "SKIPPED: %s\n", why.c_str());
}

int main(int argc, char** argv) {
  doctest::Context context(argc, argv);
  const int result = context.run();
  return result == 0 && skipped ? belay::test::kSkipped : result;
}
