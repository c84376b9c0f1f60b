// The books on disk: lines packed into blocks, many to a value, so that recording a forwarded request costs an append. A
// block's head says what it may hold (smallest and greatest id, outcomes, a Bloom filter over source, destination, type,
// resource and event id), so that a query skips blocks without reading their lines. Head and lines are guarded by a CRC32C
// each (P9). Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "spool/record.h"
#include "wire/messages.h"

namespace belay::spool {

enum class Indexed : uint8_t { source, destination, type, resource, event_id };
inline constexpr size_t kIndexed = 5;
uint64_t index_hash(Indexed field, std::string_view text);

class BlockBuilder {
 public:
  static constexpr size_t kMaxLines = 60 << 10;  // bytes of lines in a block; the next one starts a new block

  void add(const wire::EventView& event);
  void add_destination(std::string_view name);  // a further one of the last line
  bool empty() const { return count_ == 0; }
  uint32_t count() const { return count_; }
  bool full() const { return lines_.size() >= kMaxLines; }
  const MessageId& min() const { return min_; }
  const MessageId& max() const { return max_; }
  // The stored form; the builder is empty afterwards.
  std::string finish();

 private:
  void index(Indexed field, std::string_view text);
  std::string lines_;
  uint32_t count_ = 0;
  MessageId min_, max_;
  uint8_t outcomes_ = 0;
  std::vector<uint64_t> hashes_;
  std::array<uint64_t, kIndexed> last_{};  // the same value line after line is indexed once
};

struct Block {
  uint32_t count = 0;
  MessageId min, max;
  uint8_t outcomes = 0;  // bit per wire::Outcome
  std::string_view bloom, guarded_lines;

  bool may_hold(uint64_t hash) const;
  bool has(wire::Outcome outcome) const { return (outcomes >> static_cast<unsigned>(outcome) & 1) != 0; }
  Result<std::string_view> lines() const;  // checks them
};
// Checks the head only.
Result<Block> read_block(std::string_view stored);

}  // namespace belay::spool
