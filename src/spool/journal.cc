#include "spool/journal.h"

#include <xxhash.h>

#include <algorithm>

#include "base/crc32c.h"
#include "wire/codec.h"

namespace belay::spool {

namespace {

constexpr uint8_t kBlockVersion = 1;
constexpr size_t kBitsPerEntry = 10;  // about 1 % of blocks are read in vain
constexpr int kProbes = 5;
constexpr size_t kMaxBloom = 8 << 10;

Error damaged() { return {ErrorKind::corrupt, "a block of the books is damaged"}; }

// Double hashing: every probe from the two halves of one hash.
template <typename Visit>
void probes(uint64_t hash, size_t bits, Visit visit) {
  const uint64_t step = (hash >> 32) | 1;
  for (int i = 0; i < kProbes; ++i) visit((hash + static_cast<uint64_t>(i) * step) % bits);
}

}  // namespace

uint64_t index_hash(Indexed field, std::string_view text) {
  return XXH3_64bits_withSeed(text.data(), text.size(), static_cast<uint64_t>(field) + 1);
}

void BlockBuilder::index(Indexed field, std::string_view text) {
  if (text.empty()) return;
  const uint64_t hash = index_hash(field, text);
  uint64_t& last = last_[static_cast<size_t>(field)];
  if (hash == last) return;
  last = hash;
  hashes_.push_back(hash);
}

void BlockBuilder::add(const wire::EventView& event) {
  if (count_ == 0 || event.id < min_) min_ = event.id;
  if (count_ == 0 || event.id > max_) max_ = event.id;
  ++count_;
  outcomes_ = static_cast<uint8_t>(outcomes_ | 1U << static_cast<unsigned>(event.outcome));
  lines_.append(event.line);
  index(Indexed::source, event.source);
  index(Indexed::destination, event.destination);
  index(Indexed::type, event.type);
  index(Indexed::resource, event.resource);
  index(Indexed::event_id, event.event_id);
}

void BlockBuilder::add_destination(std::string_view name) { index(Indexed::destination, name); }

// Head: version, count, min, max, outcomes, length and bytes of the filter, checksum. Then lines and their checksum.
std::string BlockBuilder::finish() {
  const size_t bloom_bytes = std::clamp<size_t>(hashes_.size() * kBitsPerEntry / 8 + 1, 8, kMaxBloom);
  std::string out;
  out.reserve(64 + bloom_bytes + lines_.size());
  wire::put_u8(out, kBlockVersion);
  put_be32(out, count_);
  out.append(min_.view());
  out.append(max_.view());
  wire::put_u8(out, outcomes_);
  put_be16(out, static_cast<uint16_t>(bloom_bytes));
  const size_t bloom = out.size();
  out.append(bloom_bytes, '\0');
  for (const uint64_t hash : hashes_) {
    probes(hash, bloom_bytes * 8, [&](uint64_t bit) {
      char& byte = out[bloom + bit / 8];
      byte = static_cast<char>(static_cast<uint8_t>(byte) | 1U << (bit % 8));
    });
  }
  put_be32(out, crc32c(out));
  out.append(lines_);
  put_be32(out, crc32c(lines_));
  *this = BlockBuilder();
  return out;
}

Result<Block> read_block(std::string_view stored) {
  wire::Reader in(stored);
  const uint8_t version = in.u8();
  Block block;
  block.count = in.u32();
  block.min = in.id();
  block.max = in.id();
  block.outcomes = in.u8();
  block.bloom = in.text16();
  const std::string_view head = stored.substr(0, stored.size() - in.rest().size());
  const uint32_t checksum = in.u32();
  if (in.failed() || checksum != crc32c(head) || version != kBlockVersion || block.bloom.empty()) return damaged();
  block.guarded_lines = in.rest();
  return block;
}

bool Block::may_hold(uint64_t hash) const {
  bool all = true;
  probes(hash, bloom.size() * 8, [&](uint64_t bit) {
    all = all && (static_cast<uint8_t>(bloom[bit / 8]) >> (bit % 8) & 1) != 0;
  });
  return all;
}

Result<std::string_view> Block::lines() const {
  if (guarded_lines.size() < 4) return damaged();
  const std::string_view bytes = guarded_lines.substr(0, guarded_lines.size() - 4);
  if (get_be(guarded_lines.data() + bytes.size(), 4) != crc32c(bytes)) return damaged();
  return bytes;
}

}  // namespace belay::spool
