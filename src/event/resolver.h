// Host names to addresses through c-ares on the loop (never evdns), with a small cache that respects TTLs between kMinTtl
// and kMaxTtl. One per loop. Literal addresses and "localhost" answer at once.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "event/loop.h"

namespace belay::event {

class Resolver {
 public:
  static constexpr Duration kMinTtl{5'000};
  static constexpr Duration kMaxTtl{300'000};
  static constexpr Duration kTimeout{5'000};
  static constexpr size_t kMaxCached = 10'000;
  using Done = std::function<void(const Result<std::vector<IpAddress>>&)>;

  // `servers` as "127.0.0.1:5353,…"; empty: the system's.
  explicit Resolver(Loop& loop, const std::string& servers = {});
  ~Resolver();
  // `done` runs on the loop, perhaps before resolve() returns.
  void resolve(const std::string& host, Done done);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace belay::event
