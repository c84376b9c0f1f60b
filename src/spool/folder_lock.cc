#include "spool/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace belay::spool {

namespace {

Result<void> sync_one(const std::string& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno_error("open " + folder);
  const bool synced = fsync(fd) == 0;
  const auto failure = synced ? Result<void>() : Result<void>(errno_error("fsync " + folder));
  close(fd);
  return failure;
}

}  // namespace

Result<FolderLock> FolderLock::take(const std::string& folder) {
  std::error_code failure;
  if (std::filesystem::create_directories(folder, failure)) {
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, failure);
  }
  if (failure) return io_error("spool path " + folder + ": " + failure.message());
  const std::string path = folder + "/spool.lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return errno_error("spool path " + folder + ": open spool.lock");
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const bool held = errno == EWOULDBLOCK;
    const Error other = errno_error("spool path " + folder + ": lock spool.lock");
    close(fd);
    if (!held) return other;
    return Error{ErrorKind::refused, "spool path " + folder + " belongs to another running spool; stop it or set spool.path"};
  }
  return FolderLock(fd);
}

FolderLock::~FolderLock() {
  if (fd_ >= 0) close(fd_);
}

Result<void> sync_folder(const std::string& folder) {
  if (auto own = sync_one(folder); !own) return own;
  return sync_one(std::filesystem::absolute(folder).parent_path().string());
}

}  // namespace belay::spool
