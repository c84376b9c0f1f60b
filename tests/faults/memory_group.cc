#include "faults/memory_group.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <vector>

#include "support/skip.h"

namespace belay::test {

namespace {

constexpr const char* kVersion1 = "/sys/fs/cgroup/memory";
constexpr const char* kVersion2 = "/sys/fs/cgroup";

bool has_word(const std::string& text, const std::string& word) {
  std::istringstream words(text);
  for (std::string one; words >> one;) {
    if (one == word) return true;
  }
  return false;
}

// Of this process in the hierarchy of the memory controller of version 1; "/" where it cannot be seen from here.
std::string own_group() {
  std::istringstream lines(read_text("/proc/self/cgroup"));
  for (std::string line; std::getline(lines, line);) {
    const size_t at = line.find(":memory:");
    if (at != std::string::npos && access((kVersion1 + line.substr(at + 8)).c_str(), F_OK) == 0) return line.substr(at + 8);
  }
  return "/";
}

bool put(const std::string& file, const std::string& text) {
  std::ofstream out(file);
  out << text << std::flush;
  return out.good();
}

uint64_t number_behind(const std::string& file, const std::string& word) {
  std::istringstream words(read_text(file));
  for (std::string one; words >> one;) {
    uint64_t number = 0;
    if (one == word && words >> number) return number;
  }
  return 0;
}

}  // namespace

MemoryGroup::MemoryGroup(size_t bytes) {
  const std::string name = "belay-test-" + std::to_string(getpid());
  unified_ = access(kVersion1, F_OK) != 0;
  if (unified_ && !has_word(read_text(std::string(kVersion2) + "/cgroup.subtree_control"), "memory")) {
    skip("no control group of this kernel's limits memory below the top one");
    return;
  }
  const std::string folder = unified_ ? std::string(kVersion2) + "/" + name : kVersion1 + own_group() + "/" + name;
  if (mkdir(folder.c_str(), 0755) != 0) {
    skip("no control group can be made here (root is needed): " + folder + ": " + std::strerror(errno));
    return;
  }
  folder_ = folder;
  limit(bytes);
}

MemoryGroup::~MemoryGroup() {
  if (!ready()) return;
  const std::string above = folder_.substr(0, folder_.rfind('/')) + "/cgroup.procs";
  std::istringstream left(read_text(folder_ + "/cgroup.procs"));
  for (std::string pid; left >> pid;) put(above, pid);
  wait_for([&] { return rmdir(folder_.c_str()) == 0; }, Milliseconds(2'000));
}

void MemoryGroup::take(Gateway& gateway) const {
  std::vector<pid_t> pids = gateway.workers();
  pids.insert(pids.end(), {gateway.process().pid(), gateway.master(), gateway.spool()});
  for (const pid_t pid : pids) put(folder_ + "/cgroup.procs", std::to_string(pid));
}

void MemoryGroup::limit(size_t bytes) const {
  put(folder_ + (unified_ ? "/memory.max" : "/memory.limit_in_bytes"), std::to_string(bytes));
  if (unified_) put(folder_ + "/memory.swap.max", "0");
}

size_t MemoryGroup::killed() const { return number_behind(folder_ + (unified_ ? "/memory.events" : "/memory.oom_control"), "oom_kill"); }

}  // namespace belay::test
