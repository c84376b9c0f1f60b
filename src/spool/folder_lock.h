// Makes a spool folder ours: creates it (0700), locks it against a second spool, and makes the names in it durable. The
// lock is a flock(2) on spool.lock and ends with the process, however it ends.
#pragma once

#include <string>

#include "base/result.h"

namespace belay::spool {

class FolderLock {
 public:
  static Result<FolderLock> take(const std::string& folder);  // refused: another spool holds it
  FolderLock(FolderLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

// fsync of the folder and of the one it stands in: names of new files survive a power cut.
Result<void> sync_folder(const std::string& folder);

}  // namespace belay::spool
