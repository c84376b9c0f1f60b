// For a test that can show nothing here because a tool, a right or a part of the kernel is missing: it says which and returns.
// The test program then ends with kSkipped, which meson counts as skipped and never as passed, unless something failed.
#pragma once

#include <string>

namespace belay::test {

constexpr int kSkipped = 77;

void skip(const std::string& why);

}  // namespace belay::test
