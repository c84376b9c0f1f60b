// Outbound HTTP/1.1: keep-alive pools per destination, timeouts, TLS, DNS, outcome classes. Used by modules/deliver in each
// proxy worker and by the spool's delivery threads; one per loop. A connection is reused only after a complete, clean
// exchange: any doubt (timeout, bytes after the answer, odd framing, 1xx floods) closes it (RFC 9112 §9.6).
//
// A kept connection may be closed by the backend just as a request goes out on it. When it ends before any byte of an answer,
// the request is sent once more on a fresh connection, POST or not: the backend may have seen it, but so it may after every
// `reset`, which the spool repeats as well, and every copy carries the same webhook-id and bytes (P4). A fresh connection that
// ends this way is a `reset`. `concurrency` counts per Client, that is per worker or delivery thread.
//
// With auth.oauth2 a call first gets an access token (tokens.h). A backend that answers 401 is asked once more with a fresh
// one; its second 401 stands.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/id.h"
#include "base/memory_budget.h"
#include "event/loop.h"
#include "event/resolver.h"
#include "http/message.h"
#include "upstream/destination.h"

namespace belay::upstream {

// What is to be sent, as views that must stay valid until `done`: the sender's request or a stored one. The client writes the
// head: request line, these fields in order and case without hop-by-hop ones, then what Belay adds.
struct Outbound {
  std::string_view method;
  std::string_view target;        // of the sender's request; Destination's url decides how it is used
  std::string_view path_rest;     // what followed the source's prefix, for append_path
  std::string_view path;          // of a transform: used on the destination's host in place of its url's; empty: the url decides
  const http::Fields* fields = nullptr;
  std::string_view body;
  bool has_body = false;          // an empty body with Content-Length: 0 is not the same as none
  MessageId id;                   // webhook-id, unless the sender has set one
  uint32_t attempt = 1;           // webhook-attempt
  std::string_view client;        // address for X-Forwarded-For, the sender's own chain in front when it is trusted
  bool client_tls = false;        // X-Forwarded-Proto
  bool vouched = false;           // fields that claim_identity() come from a trusted proxy, or were sifted: pass them on
  WallTime now{};                 // the client's time of the attempt: which credentials are valid
  uint64_t urls_down = 0;         // by bit: of the destination's urls, those that are not to be used while there are others
  std::string_view authorization; // the client's: the access token of auth.oauth2, ready to be sent
};

enum class Outcome : uint8_t {
  answered,      // a whole, well-formed answer came; the status says the rest
  refused,       // connection refused, unreachable, or a network rule forbids the target
  unresolved,    // DNS
  tls_failed,
  timeout,       // connect or answer
  reset,         // closed or reset before the answer was whole
  bad_response,  // framing, limits, unasked 101, bytes after the answer
  over_limit,    // no connection is free under `concurrency`
  no_memory,     // there is no room for the answer under limits.memory; its head may be there and says what became of the webhook
  no_credential, // every value of a credential is too old or too new: nothing was sent
  no_token,      // the token endpoint of auth.oauth2 gives none: nothing was sent. Always tried again
};
std::string_view to_string(Outcome outcome);

// Views into the client's buffers, valid during the callback only.
struct Attempt {
  Outcome outcome = Outcome::answered;
  const http::ResponseHead* head = nullptr;  // answered; no_memory when only the body found no room
  std::string_view body;                     // answered only
  std::string* gathered_body = nullptr;      // where a large `body` stands that came in pieces: may be moved out
  std::string error;                         // one line for the books when not answered
  std::string peer;                          // "127.0.0.1:8081"
  Duration connect{}, total{};
  Duration retry_after{-1};                  // -1: none
  bool unfit = false;                        // refused: this request cannot be sent to anybody (what its sender wrote)
  bool local = false;                        // refused: by this machine, which has no descriptor, port or memory left
  bool another_is_well = false;              // of the destination's urls, one that was not asked
  int status() const { return head != nullptr ? head->status : 0; }
  bool success(const Destination& to) const { return head != nullptr && to.success.contains(head->status); }
  bool retryable(const Destination& to) const {
    if (head != nullptr) return to.retry_on.contains(head->status);
    return to.retry_on_network || outcome == Outcome::no_token;
  }
  // Of the url that was asked: none when none was.
  std::optional<bool> backend_failed(const Destination& to) const {
    if (head != nullptr) return !success(to) && to.retry_on.contains(head->status);
    const bool asked = outcome != Outcome::over_limit && outcome != Outcome::no_credential && outcome != Outcome::no_token &&
                       outcome != Outcome::no_memory && !unfit && !local;
    return asked ? std::optional<bool>(true) : std::nullopt;
  }
  // Of the destination, for its breaker: a url that fails beside one that is well says nothing, it will be left out.
  std::optional<bool> destination_failed(const Destination& to) const {
    const auto failed = backend_failed(to);
    return failed && *failed && another_is_well ? std::nullopt : failed;
  }
};

struct ClientLimits {
  size_t response_body = size_t{10} << 20;  // a larger answer is bad_response
  size_t idle_per_destination = 64;
  Duration idle_timeout{60'000};
  Duration connection_age{300'000};         // then it is not reused, so that a changed DNS answer is followed
  int informational = 8;                    // 1xx heads before the answer
  MemoryBudget* memory = nullptr;           // what answers that come in pieces take is counted there; null: nowhere
};

// Who takes what is to be sent to where it goes: the client, or the simulator's network.
class Sender {
 public:
  using Done = std::function<void(const Attempt&)>;
  // A request under way; destroying it before `done` ran cancels it and closes its connection.
  class Call {
   public:
    virtual ~Call() = default;
  };
  virtual ~Sender() = default;
  // `done` runs exactly once, never before send() returned, unless the Call is destroyed first.
  virtual std::unique_ptr<Call> send(std::shared_ptr<const Destination> to, const Outbound& request, Done done) = 0;
};

class Client final : public Sender {
 public:
  Client(event::Loop& loop, event::Resolver& resolver, ClientLimits limits = {});
  ~Client() override;

  std::unique_ptr<Call> send(std::shared_ptr<const Destination> to, const Outbound& request, Done done) override;

  size_t in_flight() const;

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

// Fields by which a proxy names the sender in front of it: Forwarded, X-Real-IP, X-Forwarded-*, also with '_' for '-'.
bool claims_identity(std::string_view name);

// The head a backend gets; public for `belay explain` and tests. Ends with the empty line.
std::string compose_head(const Destination& to, const http::Url& url, const Outbound& request);
// The same, appended to `out`. Nothing may be sent when it is `refused` (a field carries a line break that a rule's template made)
// or `unavailable` (a credential or the key of `sign` has no value that is valid at request.now, or `sign` reads what is not there).
Result<void> append_head(std::string& out, const Destination& to, const http::Url& url, const Outbound& request);

}  // namespace belay::upstream
