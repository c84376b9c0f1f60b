// Small documents by URL (key sets, certificates), kept for as long as their Cache-Control says within bounds of ours. One per
// loop, owned by the worker beside its Client. One flight per URL however many wait; the result comes on a later turn. While
// the endpoint fails, the last document serves on for `stale`, and the endpoint is asked again only every `failure_memory`.
// Failure: Standing::unavailable, which is never the sender's fault.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "upstream/client.h"
#include "upstream/endpoint.h"

namespace belay::upstream {

struct Document {
  std::string body;
  MonotonicTime fetched{};
};

struct FetchLimits {
  Duration least_age{60'000};       // fresh for so long at least, whatever Cache-Control says
  Duration usual_age{600'000};      // without a max-age
  Duration most_age{86'400'000};
  Duration stale{86'400'000};       // after that, a document of an endpoint that fails is not used any more
  Duration failure_memory{5'000};
  size_t documents = 256;           // the one that was used longest ago makes room
  size_t waiters = 20'000;          // for one document
};

class Fetcher {
 public:
  using Endpoint = std::shared_ptr<const Destination>;
  enum class Standing : uint8_t {
    fresh,
    stale,        // the endpoint fails, this is the last one it gave
    unavailable,  // the endpoint fails, and there is none, or it is too old
    ask,          // fetch(), then look again
  };
  struct Known {
    Standing standing = Standing::ask;
    std::shared_ptr<const Document> document;  // fresh or stale
  };

  Fetcher(event::Loop& loop, Client& client, FetchLimits limits = {});

  // What can be said without waiting. A document older than `newest` is not fresh: for a key that it does not hold.
  Known known(const Destination& from, Duration newest = Duration::max()) const;
  // `done` runs once on a later turn, unless the Fetcher goes away first; known() has the result.
  void fetch(const Endpoint& from, std::function<void()> done);
  bool is_fetching(const Destination& from) const;
  MonotonicTime now() const { return loop_.now(); }
  // Why the last fetch failed; empty when it did not.
  std::string_view error(const Destination& from) const;

 private:
  struct Entry {
    Endpoint from;
    std::shared_ptr<const Document> document;
    MonotonicTime fresh_until{}, failed_until{}, used{};
    std::string error;
    std::vector<std::function<void()>> waiting;
    std::unique_ptr<Client::Call> call;  // under way
  };
  Entry* entry_for(const Endpoint& from);
  void landed(Entry& entry, const Attempt& attempt);

  event::Loop& loop_;
  Client& client_;
  const FetchLimits limits_;
  http::Fields fields_;
  std::unordered_map<std::string, std::unique_ptr<Entry>> entries_;  // by URL
};

// How long an answer may be used by its Cache-Control (RFC 9111 §5.2.2): max-age, zero for no-store and no-cache; -1 when it
// does not say.
Duration max_age_of(const http::Fields& fields);

}  // namespace belay::upstream
