// How many connections each sender has open, for all workers of one master together: a part of SharedMemory. A sender is an
// IPv4 address or an IPv6 /64, as for `limit`, known by a hash that is seeded at start so that nobody can choose to be
// counted as somebody else. Counting costs one shared atomic operation when a connection opens and one when it closes.
//
// Each worker also keeps its share, which the master gives back when the worker dies. The two are changed one after the other,
// in the order in which a worker that is killed in between leaves a count too low by one, never too high: a crash forgives,
// it locks nobody out. So does a full table: a sender who finds no place in his probe run is not counted.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/ip.h"

namespace belay::pipeline {

class ClientCounts {
 public:
  static constexpr size_t kWorkers = 256;
  static constexpr size_t kEntries = size_t{1} << 16;  // senders with connections at one time
  static constexpr size_t kProbe = 8;
  static constexpr uint32_t kUncounted = UINT32_MAX;

  void set_seed(uint64_t seed) { seed_ = seed; }  // before the first fork
  // One more connection of `client`: where it is counted, for remove(). Nothing when `most` are open already.
  std::optional<uint32_t> add(size_t worker, const IpAddress& client, int64_t most);
  void remove(size_t worker, uint32_t place);
  // By the master, once the worker is dead: gives back what it still counted.
  void forget(size_t worker);

 private:
  struct Entry {
    std::atomic<uint64_t> client;
    std::atomic<int64_t> open;
  };

  uint32_t place_of(uint64_t key);

  uint64_t seed_ = 0;
  Entry entries_[kEntries];
  std::atomic<uint32_t> shares_[kWorkers][kEntries];  // a row has one writer; pages that nobody needs are never touched
};

}  // namespace belay::pipeline
