// The clock of a gateway, made by libfaketime: set at any time for all its processes. The monotonic clock goes on as the
// kernel's does.
#pragma once

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "support/process.h"
#include "support/skip.h"

namespace belay::test {

class FakeTime {
 public:
  explicit FakeTime(const TempFolder& folder) : file_(folder / "time") { set("+0"); }
  static bool possible() {  // false: said what is missing
    if (!library().empty()) return true;
    skip("libfaketime is not installed; tools/packages.sh names its package");
    return false;
  }
  // "+3600", "-3600": seconds; "@1970-01-01 00:10:00": from then on.
  void set(const std::string& time) const {
    std::ofstream(file_ + ".new") << time << "\n";
    std::rename((file_ + ".new").c_str(), file_.c_str());
  }
  std::vector<std::pair<std::string, std::string>> environment() const {
    return {{"LD_PRELOAD", library()}, {"FAKETIME_TIMESTAMP_FILE", file_}, {"FAKETIME_NO_CACHE", "1"}, {"FAKETIME_DONT_FAKE_MONOTONIC", "1"}, {"TZ", "UTC"}};
  }

 private:
  // Of Debian's package, wherever the architecture keeps it.
  static std::string library() {
    for (const auto& entry : std::filesystem::directory_iterator("/usr/lib")) {
      const std::string path = entry.path().string() + "/faketime/libfaketimeMT.so.1";
      if (std::filesystem::exists(path)) return path;
    }
    return {};
  }
  std::string file_;
};

}  // namespace belay::test
