// Where public keys that senders publish come from: documents (JWKS, certificates) by URL. Implemented over HTTP by the
// worker's fetcher, and from files by the command line. One thread. A document is parsed once, when it arrives
// (parse_public_keys), and shared.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "signature/public_key.h"

namespace belay::signature {

class KeySource {
 public:
  enum class State : uint8_t {
    ready,
    pending,      // being fetched: told by when_known()
    unavailable,  // could not be fetched, and will be tried again later
  };
  struct Answer {
    State state = State::unavailable;
    std::shared_ptr<const PublicKeys> keys;  // ready: not null
  };

  enum class Need : uint8_t {
    any,
    newer,  // the document known lacks the key that the request names: ready says that there is none newer to be had now
  };

  virtual ~KeySource() = default;
  // Never blocks; starts a fetch where one is needed, for `newer` at most once in a while. `url` has passed the scheme's host rule.
  virtual Answer get(const std::string& url, Need need) = 0;
  // `done` is called once, on a later turn, when get(url) is no longer pending.
  virtual void when_known(const std::string& url, std::function<void()> done) = 0;
  // A key of that document has verified something: a request did not make its address up, and it makes room last.
  virtual void note_proven(const std::string& url) { static_cast<void>(url); }
  virtual bool is_proven(const std::string& url) const {
    static_cast<void>(url);
    return false;
  }
};

}  // namespace belay::signature
