// Decides whether there is room for intake: refuses at StoreOptions::kIntakeStops of the map or of the disk, resumes below
// kIntakeResumes; lines of the books are refused from kLinesStop on. So settlements and deletes always have room to work in.
// Writer thread.
#pragma once

#include <functional>
#include <string>

#include "base/clock.h"
#include "spool/environment.h"
#include "spool/store.h"

namespace belay::spool {

class SpaceWatch {
 public:
  static constexpr Duration kEvery{100};
  static constexpr Duration kRefusedAtLeast{10'000};

  SpaceWatch(lmdb::Environment& environment, const Clock& clock, const StoreOptions& options)
      : environment_(environment), clock_(clock), folder_(options.folder), told_disk_used_(options.disk_used) {}
  // Looks again when kEvery has passed, when half of the room before the limit may be gone, or `now_please`; the reason to
  // refuse, or empty.
  const std::string& refusal(bool now_please = false);
  void wrote(size_t bytes) { written_ += bytes; }  // into new records; pages of tables and indexes come on top
  // A write found no room. When no number shows why (a quota, no piece that is large enough), it is so for kRefusedAtLeast.
  void refuse(std::string reason);
  bool lines_fit() const { return part_ < StoreOptions::kLinesStop; }  // as of the last look
  // Without the spool's own file there would be room, the numbers say: else what is in it would be forgotten for nothing.
  bool own_doing() const { return own_doing_ && !unexplained_; }
  // A little less in it may help: also while no number shows why there is no room.
  bool less_may_help() const { return own_doing_; }
  uint64_t used_bytes() const { return used_; }
  double part() const { return part_; }  // of map or disk that is in use, what is fuller

 private:
  struct Disk {
    double used = 0;   // as a part of what there is
    double bytes = 0;  // that there are in all; 0: unknown
  };
  Disk disk(uint64_t own) const;
  lmdb::Environment& environment_;
  const Clock& clock_;
  std::string folder_;
  std::function<double()> told_disk_used_;
  std::string reason_;
  uint64_t used_ = 0;
  double part_ = 0;  // of map or disk, what is fuller
  bool own_doing_ = true, unexplained_ = false;
  double room_ = 0;  // bytes before the limit, as of the last look
  size_t written_ = 0;  // since then
  MonotonicTime refused_until_{};
  MonotonicTime next_{};
};

}  // namespace belay::spool
