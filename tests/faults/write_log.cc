#include "faults/write_log.h"

#include <algorithm>
#include <cstring>

#include "support/process.h"

namespace belay::test {

namespace {

constexpr size_t kSector = 512, kPage = 4096;

void put(std::string& file, uint64_t offset, std::string_view bytes) {
  if (file.size() < offset + bytes.size()) file.resize(offset + bytes.size());
  file.replace(offset, bytes.size(), bytes);
}

}  // namespace

WriteLog::WriteLog(const std::string& file) {
  const std::string log = read_text(file);
  struct Head {
    uint32_t kind, length;
    uint64_t offset;
  } head{};
  for (size_t at = 0; at + sizeof head <= log.size();) {
    std::memcpy(&head, log.data() + at, sizeof head);
    at += sizeof head;
    if (at + head.length > log.size()) break;
    records_.push_back({static_cast<Kind>(head.kind), head.offset, at + head.length, log.substr(at, head.length)});
    at += head.length;
  }
}

std::string WriteLog::cut_after(size_t record, Left left, std::mt19937& random) const {
  size_t flushed = 0;  // records before this one are on the disk
  for (size_t i = 0; i <= record; ++i) {
    if (records_[i].kind == Kind::flush) flushed = i;
  }
  std::string file;
  struct Piece {
    uint64_t offset;
    std::string_view bytes;
  };
  std::vector<Piece> unsure;
  const size_t piece = left == Left::sectors ? kSector : kPage;
  for (size_t i = 0; i < std::min(record + 2, records_.size()); ++i) {
    const Record& one = records_[i];
    if (one.kind == Kind::flush) continue;
    if (i < flushed || (one.kind == Kind::synchronous_write && i <= record)) {
      put(file, one.offset, one.bytes);
      continue;
    }
    for (size_t at = 0; at < one.bytes.size(); at += piece) unsure.push_back({one.offset + at, std::string_view(one.bytes).substr(at, piece)});
  }
  if (left == Left::nothing) return file;
  if (left != Left::everything) {
    std::shuffle(unsure.begin(), unsure.end(), random);
    unsure.resize(unsure.empty() ? 0 : random() % (unsure.size() + 1));
  }
  for (const Piece& one : unsure) put(file, one.offset, one.bytes);
  return file;
}

}  // namespace belay::test
