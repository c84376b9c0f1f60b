// limit: how many webhooks a source, a client or a key may send. The generic cell rate algorithm over one 16-byte
// bucket a key in memory that all workers share; keys are hashes of names and settings, so a reload keeps them. 429 +
// Retry-After, or with `over: spool` stored for later. In a source with `verify` a webhook counts for its client first and
// for source or key only when it is proved, so that junk cannot use up a sender's rate. Failure: a full table forgives a key, it never locks one out
// (pipeline/shared_memory.h).
#pragma once

#include <cstdint>

#include "pipeline/module.h"

namespace belay::modules {

// One rate in microseconds. Pure: the state is the theoretical arrival time of the next webhook.
struct RateRule {
  uint64_t interval_us = 0;   // between two webhooks at the rate
  uint64_t tolerance_us = 0;  // (burst - 1) intervals

  // How long until one more would pass; 0: now.
  uint64_t wait_us(uint64_t arrival_us, uint64_t now_us) const {
    const uint64_t earliest = arrival_us > tolerance_us ? arrival_us - tolerance_us : 0;
    return earliest > now_us ? earliest - now_us : 0;
  }
  uint64_t next_arrival_us(uint64_t arrival_us, uint64_t now_us) const {
    return (arrival_us > now_us ? arrival_us : now_us) + interval_us;
  }
};

extern const pipeline::Module kLimit;
// The same settings once more, behind verify.
extern const pipeline::Module kLimitProved;

}  // namespace belay::modules
