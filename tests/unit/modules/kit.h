// Modules under test: rules as text, built by the real loader and builder into a real ruleset; requests walked through
// it with a clock that stands still. A spool client that remembers what it is given stands where the socket would be.
#pragma once

#include <doctest/doctest.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "modules/allow/allow.h"
#include "modules/auth/auth.h"
#include "modules/deliver/deliver.h"
#include "modules/handshake/handshake.h"
#include "modules/identify/identify.h"
#include "modules/limit/limit.h"
#include "modules/log/log.h"
#include "modules/match/match.h"
#include "modules/modules.h"
#include "modules/route/route.h"
#include "modules/transform/transform.h"
#include "modules/verify/verify.h"
#include "pipeline/module.h"
#include "support/process.h"

namespace belay::test {

using Fields = std::vector<std::pair<std::string, std::string>>;

// A source called `s` at /s, a destination called `d`.
inline std::string source(const std::string& keys, const std::string& routes = "[{ to: d }]") {
  return "sources:\n  s: { match: { path: /s }, routes: " + routes + (keys.empty() ? "" : ", ") + keys +
         " }\ndestinations:\n  d: { url: \"http://127.0.0.1:1/\" }\n";
}

class FakeSpool final : public wire::SpoolClient {
 public:
  bool available() const override { return up; }
  void put(const wire::Put& put, PutDone done) override {
    puts.push_back(put);
    waiting_.push_back(std::move(done));
  }
  void claim(const wire::ClaimRequest& request, ClaimDone done) override {
    claims.push_back(request);
    claiming_.push_back(std::move(done));
  }
  void release(MessageId id) override { released.push_back(id); }
  using SpoolClient::record;
  void record(const wire::Event& event, const std::vector<wire::Claim>& taken) override {
    events.push_back(event);
    confirmed.push_back(taken);
  }
  void send_counters(const wire::Counters&) override {}
  uint64_t events_dropped() const override { return 0; }
  size_t waiting() const override { return waiting_.size(); }
  void flush() override {}

  // Answers the oldest put.
  void answer(Result<wire::PutResult> result) {
    const PutDone done = std::move(waiting_.front());
    waiting_.pop_front();
    done(std::move(result));
  }
  void answer(wire::PutState state, const std::string& reason = {}) {
    answer(wire::PutResult{puts.back().event.id, state, reason, {}});
  }
  // Answers the oldest claim.
  void answer_claim(Result<wire::ClaimResult> result) {
    const ClaimDone done = std::move(claiming_.front());
    claiming_.pop_front();
    done(std::move(result));
  }

  bool up = true;
  std::vector<wire::Put> puts;
  std::vector<wire::Event> events;
  std::vector<std::vector<wire::Claim>> confirmed;  // by event
  std::vector<wire::ClaimRequest> claims;
  std::vector<MessageId> released;

 private:
  std::deque<PutDone> waiting_;
  std::deque<ClaimDone> claiming_;
};

// One request and its walk.
struct Walked {
  std::unique_ptr<pipeline::Exchange> exchange;
  pipeline::Runner::State state = pipeline::Runner::State::done;
  std::string method, target, host, body;
  Fields fields;
  bool finished = false;

  int status() const { return exchange->reply.status; }
  const std::string& reason() const { return exchange->reason; }
  bool has_field(const std::string& line) const {
    return exchange->reply.head.find(line + "\r\n") != std::string::npos;
  }
};

class Kit {
 public:
  // The modules are run up to `last`; after it a step answers 200 "passed". `files`: name and content, beside the rules.
  explicit Kit(const std::string& rules, const pipeline::Module* last = nullptr,
               const std::string& main = "admin: { token: t }\n", const Fields& files = {});

  bool built() const { return ruleset != nullptr; }
  // What is wrong with the rules, one line each.
  std::string problems() const { return problems_.to_string(); }
  const std::string& folder() const { return folder_.path(); }  // the rules stand in it

  // Everything of a request at once: head and body are there.
  std::unique_ptr<Walked> send(const std::string& method, const std::string& target, Fields fields = {},
                               std::string body = {}, const std::string& client = "192.0.2.1",
                               const std::string& host = "hooks.example.test");
  std::unique_ptr<Walked> post(Fields fields = {}, std::string body = "{}") {
    return send("POST", "/s", std::move(fields), std::move(body));
  }

  ManualClock clock;
  SeededRandom random{7};
  FakeSpool spool;
  pipeline::SharedMemory& shared;
  pipeline::Services services;
  std::shared_ptr<const pipeline::Ruleset> ruleset;

 private:
  TempFolder folder_;
  conf::Problems problems_;
  IdGenerator ids_;
};

}  // namespace belay::test
