#include "spool/space_watch.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>

namespace belay::spool {

// `own`: bytes of the spool's file that are not counted.
double SpaceWatch::disk_used(uint64_t own) const {
  if (told_disk_used_) return told_disk_used_();
  struct statvfs disk {};
  if (statvfs(folder_.c_str(), &disk) != 0) return 0;  // the commit itself will tell
  // As df says it: what is kept for root, or beyond a quota, is neither used nor to be had. The file never gets shorter: what
  // is free in it is room, or a spool that filled its disk would refuse for ever.
  const auto used = static_cast<double>(disk.f_blocks - disk.f_bfree);
  const double all = used + static_cast<double>(disk.f_bavail);
  const double own_blocks = static_cast<double>(own) / static_cast<double>(disk.f_frsize);
  return all > 0 ? std::max(0.0, used - own_blocks) / all : 0;
}

const std::string& SpaceWatch::refusal(bool now_please) {
  const MonotonicTime now = clock_.monotonic();
  if (!now_please && now < next_) return reason_;
  next_ = now + kEvery;
  const auto map = static_cast<double>(environment_.map_bytes());
  const double limit = reason_.empty() ? StoreOptions::kIntakeStops : StoreOptions::kIntakeResumes;
  const uint64_t touched = environment_.touched_bytes();
  used_ = touched;
  // The free list is only read when the file has ever been that large, or the disk is that full.
  if (static_cast<double>(touched) >= limit * map || disk_used(0) >= limit) used_ = environment_.used_bytes();
  const double map_part = static_cast<double>(used_) / map;
  const double disk_part = disk_used(touched - std::min(touched, used_));
  part_ = std::max(map_part, disk_part);
  own_doing_ = true;
  if (map_part >= limit) {
    reason_ = fmt::format("map {:.0f}% full", map_part * 100);
  } else if (disk_part >= limit) {
    reason_ = fmt::format("disk {:.0f}% full", disk_part * 100);
    own_doing_ = disk_used(touched) < StoreOptions::kIntakeResumes;
  } else if (now >= refused_until_) {
    reason_.clear();
  }
  return reason_;
}

void SpaceWatch::refuse(std::string reason) {
  refused_until_ = {};
  const bool shown = !refusal(true).empty();
  reason_ = std::move(reason);
  if (!shown) refused_until_ = clock_.monotonic() + kRefusedAtLeast;
}

}  // namespace belay::spool
