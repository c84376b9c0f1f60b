#include "spool/retry.h"

#include <algorithm>
#include <cmath>

namespace belay::spool {

namespace {

Duration vary(double wait, const upstream::RetryPolicy& policy, Random& random) {
  return Duration(static_cast<int64_t>(std::max(0.0, wait * (1 + policy.jitter * (2 * random.unit() - 1)))));
}

Duration exponential(const upstream::RetryPolicy& policy, uint32_t attempts, Random& random) {
  const double limit = static_cast<double>(policy.max.count());
  const double grown = static_cast<double>(policy.first.count()) * std::pow(policy.factor, attempts - 1);
  return std::min(vary(std::min(grown, limit), policy, random), policy.max);
}

}  // namespace

std::optional<Duration> next_wait(const upstream::RetryPolicy& policy, uint32_t attempts, Duration retry_after,
                                  Random& random) {
  Duration wait{0};
  if (!policy.schedule.empty()) {
    if (attempts >= policy.schedule.size()) return std::nullopt;
    wait = policy.schedule[attempts];
    if (policy.jitter > 0) wait = vary(static_cast<double>(wait.count()), policy, random);
  } else {
    if (attempts >= static_cast<uint32_t>(std::max(1, policy.attempts))) return std::nullopt;
    if (attempts > 0) wait = exponential(policy, attempts, random);
  }
  wait = std::max(wait, std::min(retry_after, upstream::Destination::kMaxRetryAfter));
  return std::min(wait, Delivery::kLongestWait);
}

}  // namespace belay::spool
