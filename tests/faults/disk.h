// File systems of a test's own: mounted in a mount namespace of this process and its children, so that nothing of them is left
// when the test ends, however it ends. Needs root.
#pragma once

#include <memory>
#include <string>

#include "support/process.h"

namespace belay::test {

// Once, before anything is mounted. False: not here, and why was said.
bool own_mounts();

// Memory of a fixed size as a disk.
class MemoryDisk {
 public:
  MemoryDisk(const std::string& folder, const std::string& size, bool writable = true);
  ~MemoryDisk();
  const std::string& folder() const { return folder_; }

 private:
  std::string folder_;
};

// ext4 on a loop device over `image`: a file of ours, or what BlockDevice serves.
class LoopDisk {
 public:
  LoopDisk(std::string image, std::string folder) : image_(std::move(image)), folder_(std::move(folder)) {}
  ~LoopDisk() { unmount(); }
  static bool make(const std::string& image);  // an empty file system; false: there are no loop devices here, said
  bool mount();
  // What the power does: nothing that was not flushed reaches the disk any more, every call on it fails.
  bool cut();
  void unmount();

 private:
  std::string image_, folder_;
  bool mounted_ = false;
};

// A block device that takes `write_delay` for each write, fails with EIO while one of its errors is on, and stands still while
// stalled(true): nbdkit, shown as a file by nbdfuse because not every kernel has nbd.
class BlockDevice {
 public:
  explicit BlockDevice(const TempFolder& folder, Milliseconds write_delay = Milliseconds(0));
  ~BlockDevice();
  static bool possible();  // false: said what is missing
  bool ready() const { return ready_; }
  std::string image() const { return folder_ + "/device/disk"; }
  void write_errors(bool on) const { trigger("write-errors", on); }
  void read_errors(bool on) const { trigger("read-errors", on); }
  void stalled(bool on) const;

 private:
  void trigger(const std::string& name, bool on) const;
  std::string folder_;
  std::unique_ptr<Process> server_, file_;
  bool ready_ = false;
};

}  // namespace belay::test
