// One request's state on its way through the pipeline. Owned by its connection; modules read and write it, nothing else
// crosses from stage to stage. The request's views point into the connection's buffers and live as long as the exchange.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/ip.h"
#include "http/message.h"
#include "upstream/client.h"
#include "wire/messages.h"

namespace belay::pipeline {

struct Source;
struct Services;
class Exchange;

// The sender as far as it is believed: behind a trusted proxy, what PROXY protocol or X-Forwarded-For say.
struct Client {
  IpAddress address;
  bool unix_socket = false;      // a local peer without an address (nginx on a unix socket that is not trusted)
  bool tls = false;
  std::string tls_subject;       // of a verified client certificate
  std::string forwarded_for;     // X-Forwarded-For as it goes on to the backend
  std::string text() const { return unix_socket ? "unix:" : address.to_string(); }
};

// What the sender gets. Either made here (status and JSON body) or a backend's answer passed on.
struct Reply {
  int status = 0;
  std::string head;   // ready field lines, each with CRLF; no framing fields: the writer adds them
  std::string body;
  bool close = false; // close the connection after it
};

// What identify found; also the log's and the books' columns.
struct EventFacts {
  std::string type, id, resource, time;
};

// One route that matched, to be delivered.
struct Selected {
  std::vector<std::shared_ptr<const upstream::Destination>> destinations;
};

// Resumes a parked exchange on a later turn. Held by whatever the module waits for; exactly one call. If the connection went
// away in between, the call does nothing.
class Resume {
 public:
  Resume() = default;
  explicit Resume(std::weak_ptr<std::function<void()>> target) : target_(std::move(target)) {}
  void operator()() const {
    if (const auto alive = target_.lock()) (*alive)();
  }

 private:
  std::weak_ptr<std::function<void()>> target_;
};

class Exchange {
 public:
  explicit Exchange(Services& services_in) : services(services_in) {}

  Services& services;

  // Input.
  MessageId id;
  WallTime received{};
  MonotonicTime started{};
  http::RequestHead request;
  std::string_view body;   // whole when on_body modules run
  Client client;

  // Found on the way.
  const Source* source = nullptr;
  std::vector<std::pair<std::string_view, std::string>> captures;  // {name} of match.path, percent-decoded
  std::string_view path_rest;                                      // behind the prefix of match.path
  EventFacts event;
  bool verified = false;
  std::vector<Selected> selected;

  // Output.
  Reply reply;
  wire::Outcome outcome = wire::Outcome::failed;
  std::string reason;               // "verify: signature does not match"
  std::string destination;
  uint32_t backend_us = 0;
  std::unique_ptr<upstream::Client::Call> call;  // a forward under way; dies with the exchange

  // Fills reply with Belay's own JSON answer {"status","id","reason"} and sets outcome and reason. `retry_after` < 0: none.
  void answer(int status, wire::Outcome outcome_in, std::string_view reason_in, int retry_after = -1);
  // The reply has been decided by a module; `source.reply` overrides it for spooled, filtered and duplicate ones (deliver).

  // Parking: take the Resume first, then return Verdict::parked.
  Resume park();
  bool parked() const { return parked_; }

 private:
  friend class Runner;
  std::shared_ptr<std::function<void()>> resume_target_;  // alive while the exchange is
  bool parked_ = false;
  size_t step_ = 0;
};

}  // namespace belay::pipeline
