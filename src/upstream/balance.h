// Which of a destination's urls gets the next request: pure, time as a value; one per Client and destination, so that every
// worker and the spool have their own. A url that fails kEjectAfter times in a row is left out for kEjectFor, then it gets one
// request as a probe at a time: its next failure ejects it again. Urls that the caller knows to be down are left out too. When that leaves
// none, ejection is forgotten first and then what the caller knows: a request is never refused here.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "upstream/destination.h"

namespace belay::upstream {

class Balancer {
 public:
  static constexpr int kEjectAfter = 5;
  static constexpr Duration kEjectFor{30'000};

  explicit Balancer(size_t urls) : urls_(urls) {}

  // `down`: by bit.
  size_t choose(Balance how, uint64_t down, MonotonicTime now) {
    if (urls_.size() == 1) return 0;
    for (const Care care : {Care::all, Care::down, Care::none}) {
      const size_t found = choose(how, down, now, care);
      if (found == urls_.size()) continue;
      next_ = found + 1 < urls_.size() ? found + 1 : 0;
      return found;
    }
    return 0;
  }
  void sent(size_t url) { ++urls_[url].pending; }
  void ended(size_t url) { --urls_[url].pending; }
  // True: with this failure it is ejected.
  bool learn(size_t url, bool failed, MonotonicTime now) {
    Url& one = urls_[url];
    if (urls_.size() == 1) return false;
    one.failures = failed ? one.failures + 1 : 0;
    if (one.failures < kEjectAfter) return false;
    one.failures = kEjectAfter;
    const bool was = one.ejected_until > now;
    one.ejected_until = now + kEjectFor;
    return !was;
  }
  // Another one is not known to be down, and its last request did not fail.
  bool another_is_well(size_t url, uint64_t down) const {
    for (size_t i = 0; i < urls_.size(); ++i) {
      if (i != url && (down >> i & 1) == 0 && urls_[i].failures == 0) return true;
    }
    return false;
  }
  bool remembers() const {
    return std::any_of(urls_.begin(), urls_.end(), [](const Url& url) { return url.failures > 0; });
  }
  bool ejected(size_t url, MonotonicTime now) const { return urls_[url].ejected_until > now; }
  int pending(size_t url) const { return urls_[url].pending; }

 private:
  enum class Care : uint8_t { none, down, all };
  struct Url {
    int pending = 0;
    int failures = 0;
    MonotonicTime ejected_until{};
  };

  size_t choose(Balance how, uint64_t down, MonotonicTime now, Care care) const {
    size_t best = urls_.size();
    for (size_t i = 0; i < urls_.size(); ++i) {
      const size_t at = how == Balance::first_alive ? i : (next_ + i) % urls_.size();
      if (care != Care::none && (down >> at & 1) != 0) continue;
      if (care == Care::all && !fit(urls_[at], now)) continue;
      if (how != Balance::least_pending) return at;
      if (best == urls_.size() || urls_[at].pending < urls_[best].pending) best = at;
    }
    return best;
  }
  // Not ejected; one that was and has not succeeded since has at most one request under way.
  static bool fit(const Url& url, MonotonicTime now) {
    return url.ejected_until <= now && (url.failures < kEjectAfter || url.pending == 0);
  }

  std::vector<Url> urls_;
  size_t next_ = 0;
};

}  // namespace belay::upstream
