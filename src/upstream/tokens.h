// Access tokens of the destinations of one client, in memory only. Owned by the client, on its loop. A token is renewed in the
// background once kMargin of its life is left, so that no request waits for it; the first one, and one after a drop(), is
// waited for. One flight per destination. While the endpoint fails, it is asked again only every kFailureMemory.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "upstream/client.h"
#include "upstream/oauth2.h"

namespace belay::upstream {

class Tokens {
 public:
  static constexpr Duration kMargin{60'000};  // or half of its life, if that is less
  static constexpr Duration kGuard{2'000};    // a token with less life left is not sent
  static constexpr Duration kFailureMemory{3'000};

  Tokens(event::Loop& loop, Client::Impl& client) : loop_(loop), client_(client) {}

  struct Known {
    const std::string* authorization = nullptr;  // "Bearer …"; valid until the next call
    const std::string* error = nullptr;          // why there is none; both null: wait()
  };
  Known known(const std::shared_ptr<const OAuth2>& of);
  // `done` runs once on a later turn; known() has the result.
  void wait(const std::shared_ptr<const OAuth2>& of, std::function<void()> done);
  // The backend refused it: it is not sent again. Another one that came meanwhile stays.
  void drop(const OAuth2& of, std::string_view authorization);

 private:
  struct Entry {
    std::shared_ptr<const OAuth2> of;
    std::string authorization, error;
    MonotonicTime renew_at{}, expires{}, failed_until{};
    std::vector<std::function<void()>> waiting;
    OAuth2::Request request;  // what the call under way sends
    http::Fields fields;
    std::unique_ptr<Client::Call> call;
  };
  Entry& entry_of(const std::shared_ptr<const OAuth2>& of);
  void ask(Entry& entry);
  void landed(Entry& entry, const Attempt& attempt);
  void failed(Entry& entry, std::string why);

  event::Loop& loop_;
  Client::Impl& client_;
  std::unordered_map<const OAuth2*, std::unique_ptr<Entry>> entries_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // what posted tasks hold weakly
};

}  // namespace belay::upstream
