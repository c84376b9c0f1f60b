// What faulty_disk.c wrote down, and the files that a power cut may leave of it: everything up to the last flush, and of what
// came after it any part in any order, down to single sectors. One page written through a descriptor of synchronous writes is
// there when the call has returned.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace belay::test {

class WriteLog {
 public:
  enum class Kind : uint32_t { write = 1, synchronous_write = 2, flush = 3 };
  enum class Left { nothing, everything, pages, sectors };  // of what was not flushed

  explicit WriteLog(const std::string& file);
  size_t size() const { return records_.size(); }
  // Bytes of the log up to the end of that record: what was acknowledged while the log was not longer must be in the file.
  uint64_t end_of(size_t record) const { return records_[record].end; }
  // The store's file as it may be when the power goes after `record` (it and all before it returned), while the next is under way.
  std::string cut_after(size_t record, Left left, std::mt19937& random) const;

 private:
  struct Record {
    Kind kind;
    uint64_t offset;
    uint64_t end;
    std::string bytes;
  };
  std::vector<Record> records_;
};

}  // namespace belay::test
