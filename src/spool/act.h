// The audit log: what operators did, who and when. An act is written in the commit that does what it says; one that takes many
// commits (a replay of thousands) is written anew with each of them, under one id, so that its counts are always those of what
// is durable. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/result.h"

namespace belay::spool {

struct Act {
  static constexpr size_t kTextBytes = 512;          // of each text; longer ones are cut
  static constexpr uint64_t kMaxKept = 100'000;      // more: the oldest go, whatever their age
  static constexpr std::string_view kRunning = "running";
  static constexpr std::string_view kDone = "done";

  MessageId id;              // when it began; also the id of a replay that runs
  std::string who;           // the token's name
  std::string action;        // "replay", "cancel", "pause", …
  std::string target;        // what it was asked of: ids, a filter, a destination
  std::string outcome;       // kRunning, kDone, or one line that says what went wrong
  uint64_t messages = 0;     // that it changed
  uint64_t deliveries = 0;
  uint64_t left_out = 0;     // chosen and not changed
  bool operator==(const Act&) const = default;
};

struct ActPage {
  std::vector<Act> rows;          // newest first
  std::optional<MessageId> next;  // pass as `before` for the next page
};

void append_sealed(std::string& out, const Act& act);
Result<Act> read_act(std::string_view stored);

}  // namespace belay::spool
