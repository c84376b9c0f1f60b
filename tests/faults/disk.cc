#include "faults/disk.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "faults/fault.h"
#include "support/skip.h"

namespace belay::test {

namespace {

constexpr Milliseconds kBusy(3'000);  // for a spool that is ending

}  // namespace

bool own_mounts() {
  static const bool allowed = unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  if (!allowed) skip(std::string("file systems cannot be mounted here (root is needed): ") + std::strerror(errno));
  return allowed;
}

MemoryDisk::MemoryDisk(const std::string& folder, const std::string& size, bool writable) : folder_(folder) {
  std::filesystem::create_directories(folder);
  if (::mount("tmpfs", folder.c_str(), "tmpfs", writable ? 0 : MS_RDONLY, ("size=" + size).c_str()) != 0) throw std::runtime_error("tmpfs cannot be mounted");
}

MemoryDisk::~MemoryDisk() { umount2(folder_.c_str(), MNT_DETACH); }

bool LoopDisk::make(const std::string& image) {
  if (!has_tool("mkfs.ext4") || !has_tool("xfs_io")) return false;
  if (!std::filesystem::exists(image)) {
    std::ofstream(image).close();
    std::filesystem::resize_file(image, 96u << 20);
  }
  const Finished made = run({"sh", "-c", "PATH=$PATH:/sbin:/usr/sbin mkfs.ext4 -q -F " + image});
  if (made.code != 0) skip("mkfs.ext4 failed: " + made.err);
  return made.code == 0;
}

bool LoopDisk::mount() {
  std::filesystem::create_directories(folder_);
  const Finished done = run({"mount", "-o", "loop", image_, folder_});
  mounted_ = done.code == 0;
  if (!mounted_) skip("a file cannot be mounted through a loop device here: " + done.err);
  return mounted_;
}

bool LoopDisk::cut() { return run({"sh", "-c", "PATH=$PATH:/sbin:/usr/sbin xfs_io -x -c shutdown " + folder_}).code == 0; }

void LoopDisk::unmount() {
  if (mounted_ && !wait_for([&] { return umount(folder_.c_str()) == 0; }, kBusy)) umount2(folder_.c_str(), MNT_DETACH);
  mounted_ = false;
}

bool BlockDevice::possible() {
  if (!has_tool("nbdkit") || !has_tool("nbdfuse")) return false;
  if (access("/dev/fuse", R_OK | W_OK) != 0) skip("there is no /dev/fuse here");
  return access("/dev/fuse", R_OK | W_OK) == 0;
}

BlockDevice::BlockDevice(const TempFolder& folder, Milliseconds write_delay) : folder_(folder.path()) {
  const std::string socket = folder / "nbd.sock";
  server_ = std::make_unique<Process>(
      std::vector<std::string>{"nbdkit", "-f", "-U", socket, "--filter=delay", "--filter=error", "memory", "96M",
                               "wdelay=" + std::to_string(write_delay.count()) + "ms",
                               "error-pwrite-rate=100%", "error-pwrite-file=" + (folder / "write-errors"),
                               "error-pread-rate=100%", "error-pread-file=" + (folder / "read-errors")},
      folder / "nbdkit");
  folder.write("device/disk", "");
  wait_for([&] { return std::filesystem::exists(socket); });
  file_ = std::make_unique<Process>(std::vector<std::string>{"nbdfuse", image(), "--unix", socket}, folder / "nbdfuse");
  ready_ = wait_for([&] { return std::filesystem::file_size(image()) > 0; });
}

BlockDevice::~BlockDevice() {
  stalled(false);
  umount2(image().c_str(), MNT_DETACH);
}

void BlockDevice::trigger(const std::string& name, bool on) const {
  const std::string file = folder_ + "/" + name;
  if (on) std::ofstream(file).close();
  else unlink(file.c_str());
}

void BlockDevice::stalled(bool on) const { server_->signal(on ? SIGSTOP : SIGCONT); }

}  // namespace belay::test
