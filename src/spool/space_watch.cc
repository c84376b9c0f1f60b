#include "spool/space_watch.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>

namespace belay::spool {

namespace {

constexpr double kWrittenPerRecord = 2;  // bytes of pages for one of a record: its place in the tables and indexes too

}  // namespace

// `own`: bytes of the spool's file that are not counted.
SpaceWatch::Disk SpaceWatch::disk(uint64_t own) const {
  if (told_disk_used_) return {told_disk_used_(), 0};
  struct statvfs disk {};
  if (statvfs(folder_.c_str(), &disk) != 0) return {};  // the commit itself will tell
  // As df says it: what is kept for root, or beyond a quota, is neither used nor to be had. The file never gets shorter: what
  // is free in it is room, or a spool that filled its disk would refuse for ever.
  const auto used = static_cast<double>(disk.f_blocks - disk.f_bfree);
  const double all = used + static_cast<double>(disk.f_bavail);
  const double own_blocks = static_cast<double>(own) / static_cast<double>(disk.f_frsize);
  return all > 0 ? Disk{std::max(0.0, used - own_blocks) / all, all * static_cast<double>(disk.f_frsize)} : Disk{};
}

const std::string& SpaceWatch::refusal(bool now_please) {
  const MonotonicTime now = clock_.monotonic();
  const bool fast = reason_.empty() && kWrittenPerRecord * static_cast<double>(written_) >= room_ / 2;
  if (!now_please && !fast && now < next_) return reason_;
  next_ = now + kEvery;
  written_ = 0;
  const auto map = static_cast<double>(environment_.map_bytes());
  // It refuses already and shows why. What no number shows made it no fuller.
  const bool goes_on = !reason_.empty() && !unexplained_;
  const double limit = goes_on ? StoreOptions::kIntakeResumes : StoreOptions::kIntakeStops;
  const uint64_t touched = environment_.touched_bytes();
  used_ = touched;
  // The free list is only read when the file has ever been that large, or the disk is that full.
  if (static_cast<double>(touched) >= limit * map || disk(0).used >= limit) used_ = environment_.used_bytes();
  const double map_part = static_cast<double>(used_) / map;
  const Disk disk_now = disk(touched - std::min(touched, used_));
  const double disk_part = disk_now.used;
  part_ = std::max(map_part, disk_part);
  room_ = (limit - map_part) * map;
  if (disk_now.bytes > 0) room_ = std::min(room_, (limit - disk_part) * disk_now.bytes);
  own_doing_ = true;
  unexplained_ = false;
  if (map_part >= limit) {
    reason_ = fmt::format("map {:.0f}% full", map_part * 100);
  } else if (disk_part >= limit) {
    reason_ = fmt::format("disk {:.0f}% full", disk_part * 100);
    own_doing_ = disk(touched).used < StoreOptions::kIntakeResumes;
  } else if (now >= refused_until_) {
    reason_.clear();
  } else {
    unexplained_ = true;
  }
  return reason_;
}

void SpaceWatch::refuse(std::string reason) {
  refused_until_ = {};
  const bool shown = !refusal(true).empty();
  reason_ = std::move(reason);
  if (shown) return;
  refused_until_ = clock_.monotonic() + kRefusedAtLeast;
  unexplained_ = true;
}

}  // namespace belay::spool
