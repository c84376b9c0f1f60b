// When a delivery is tried again: pure policy over values. A schedule is followed exactly as written, unless it has a jitter of its own; exponential waits vary
// by the policy's jitter, so that what failed together does not come back together. Retry-After is a lower bound, cut to
// upstream::Destination::kMaxRetryAfter. No wait is longer than Delivery::kLongestWait.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/random.h"
#include "spool/record.h"
#include "upstream/destination.h"

namespace belay::spool {

// Wait before the next attempt after `attempts` were made (0: before the first one); nullopt: none is left. `retry_after`
// is what the backend asked for, negative when it did not.
std::optional<Duration> next_wait(const upstream::RetryPolicy& policy, uint32_t attempts, Duration retry_after,
                                  Random& random);

}  // namespace belay::spool
