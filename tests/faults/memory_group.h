// A limit of memory that the kernel holds a whole gateway to: a control group of its own below that of this process (version 1)
// or at the top (version 2). Needs root. Ends with the test: what is left in it is moved out.
#pragma once

#include <sys/types.h>

#include <string>

#include "support/gateway.h"

namespace belay::test {

class MemoryGroup {
 public:
  explicit MemoryGroup(size_t bytes);
  ~MemoryGroup();
  bool ready() const { return !folder_.empty(); }  // false: said why
  void take(Gateway& gateway) const;         // all its processes, and those that they start
  void limit(size_t bytes) const;
  size_t killed() const;                           // by the kernel, for want of memory

 private:
  std::string folder_;
  bool unified_ = false;
};

}  // namespace belay::test
