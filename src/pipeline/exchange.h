// One request's state on its way through the pipeline. Owned by its connection; modules read and write it, nothing else
// crosses from stage to stage. The request's views point into the connection's buffers and live as long as the exchange.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/ip.h"
#include "base/memory_budget.h"
#include "http/message.h"
#include "payload/request_context.h"
#include "pipeline/forward_place.h"
#include "upstream/client.h"
#include "wire/client.h"
#include "wire/messages.h"

namespace belay::pipeline {

struct Source;
struct Ruleset;
struct Services;
class Exchange;
class Trace;

enum class RunState : uint8_t {
  need_body,  // every on_head module passed: read the body, then run again
  parked,     // wait; the rest of the walk is told later
  done,       // exchange.reply is final, log has run
};

// The sender as far as it is believed: behind a trusted proxy, what PROXY protocol or X-Forwarded-For say.
struct Client {
  IpAddress address;
  bool unix_socket = false;      // a local peer without an address (nginx on a unix socket that is not trusted)
  bool tls = false;
  bool vouched = false;          // a peer in trusted_proxies speaks for it
  std::string tls_subject;       // of a verified client certificate
  std::string forwarded_for;     // X-Forwarded-For as it goes on to the backend
  std::string cached_text;       // of `address`, made once a connection; empty: made on demand
  std::string text() const {
    if (unix_socket) return "unix:";
    return cached_text.empty() ? address.to_string() : cached_text;
  }
};

// What the sender gets. Either made here (status and JSON body) or a backend's answer passed on.
struct Reply {
  int status = 0;
  std::string head;   // ready field lines, each with CRLF; no framing fields: the writer adds them
  std::string body;
  bool close = false; // close the connection after it
};

using payload::EventFacts;

// Keys that the spool holds for a webhook while it is forwarded. Given up when this ends, unless they were confirmed.
class ClaimHold {
 public:
  ClaimHold() = default;
  ~ClaimHold() { release(); }
  ClaimHold(const ClaimHold&) = delete;
  ClaimHold& operator=(const ClaimHold&) = delete;
  void hold(wire::SpoolClient& spool, MessageId id) {
    spool_ = &spool;
    id_ = id;
  }
  void release() {
    if (wire::SpoolClient* const spool = std::exchange(spool_, nullptr)) spool->release(id_);
  }
  void confirmed() { spool_ = nullptr; }

 private:
  wire::SpoolClient* spool_ = nullptr;
  MessageId id_;
};

// One route that matched, to be delivered.
struct Selected {
  std::vector<std::shared_ptr<const upstream::Destination>> destinations;
  uint32_t route = 0;                                 // its number in the source, from 0
  std::shared_ptr<const wire::StoredRequest> request; // what a transform made of the request; null: as received
  std::string failure;                                // why its transform made nothing ("transform: route 2: no such key: …"): stored as dead
  wire::Grouping grouping{};                          // order, debounce, batch
  Duration delay{0}, expire{0};                       // 0: none
  // Its webhooks wait in the spool, whatever the mode.
  bool stored_first() const { return grouping.kind != wire::GroupKind::none || delay > Duration(0); }
};

// Resumes a parked exchange on a later turn. Held by whatever the module waits for. Copies are one permission: the first call
// counts, later ones do nothing, and so does a call after the connection went away or took up its next request.
// Calling it inside the handle() that parks is a programmer's error.
class Resume {
 public:
  Resume() = default;
  void operator()() const;
  // The exchange that waits for this call, to put the result in before calling; null when nobody waits any more.
  Exchange* exchange() const;

 private:
  friend class Exchange;
  struct Target {
    Exchange* exchange;
    uint64_t ticket;  // of the parking under way; 0: none
  };
  Resume(std::weak_ptr<Target> target, uint64_t ticket) : target_(std::move(target)), ticket_(ticket) {}
  std::weak_ptr<Target> target_;
  uint64_t ticket_ = 0;
};

class Exchange {
 public:
  explicit Exchange(Services& services_in);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  Services& services;
  Trace* trace = nullptr;  // explain and rehearse: what is decided is written there; see trace.h

  // Input.
  MessageId id;
  WallTime received{};
  MonotonicTime started{};
  http::RequestHead request;
  std::string_view body;   // whole when on_body modules run
  Client client;

  // Found on the way.
  const Source* source = nullptr;
  payload::Captures captures;                                      // {name} of match.path
  std::string_view path_rest;                                      // behind the prefix of match.path
  EventFacts event;
  bool verified = false;
  std::vector<Selected> selected;
  MemoryShare made_memory;                  // bodies of their requests, in limits.memory
  std::optional<wire::Claim> dedupe, replay;  // keys that this webhook takes when it is accepted; a second one is a duplicate, or a replay
  bool spool_only = false;                  // limit with `over: spool`: store and deliver later, whatever the mode

  // Output.
  Reply reply;
  MemoryShare reply_memory;         // reply.body of a backend, in limits.memory
  wire::Outcome outcome = wire::Outcome::failed;
  std::string reason;               // "verify: signature does not match"
  bool line_kept = false;           // its line of the books went to the spool with its request
  std::string destination;
  uint32_t backend_us = 0;
  ClaimHold claim_hold;
  http::Fields sent_fields;                      // of a forward whose request a transform made
  std::unique_ptr<upstream::Sender::Call> call;  // a forward under way; dies with the exchange
  ForwardPlace place;                            // held while `call` is under way

  // What expressions read of this request; made on the first call and kept: one parse for all modules.
  payload::RequestContext& context();
  bool has_context() const { return context_.has_value(); }
  void drop_context() { context_.reset(); }  // nothing is evaluated from here on

  // Fills reply with Belay's own JSON answer {"status","id","reason"} and sets outcome and reason. `retry_after` < 0: none.
  // For spooled, filtered and duplicate ones `deliver` puts source.reply over it.
  // `told`: what the sender reads in place of a reason that names what is inside (addresses, destinations); empty: the reason.
  void answer(int status, wire::Outcome outcome_in, std::string_view reason_in, int retry_after = -1, std::string_view told = {});

  // Parking: take the Resume first, then return Verdict::parked. After the resume the walk goes on with the module behind the
  // one that parked, or with the log when a reply stands in the exchange by then.
  Resume park();
  bool parked() const { return parked_; }

  // dedupe and replay as the spool takes them, in this order.
  std::vector<wire::Claim> claims() const;

  // Ready for the connection's next request: everything above is emptied, buffers keep their room up to kKeep, what was parked
  // or under way is given up.
  static constexpr size_t kKeep = size_t{64} << 10;
  void reset();

 private:
  friend class Runner;
  friend class Resume;
  std::shared_ptr<Resume::Target> resume_target_;  // made at the first park, kept; alive while the exchange is
  uint64_t tickets_ = 0;
  std::optional<payload::RequestContext> context_;
  const Ruleset* ruleset_ = nullptr;  // of the walk under way
  std::function<void(RunState)> resumed_;
  bool parked_ = false;
  bool body_complete_ = false;
  bool finished_ = false;
  size_t step_ = 0;   // next one of ruleset.before, then of source->steps
};

}  // namespace belay::pipeline
