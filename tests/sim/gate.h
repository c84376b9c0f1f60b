// The proxy worker of a run: real rules, modules and wire client; requests come as values instead of bytes from a socket. An
// answer goes to its sender when the turn's lines of the books were written, as proxy/connection does it.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "event/loop.h"
#include "pipeline/module.h"
#include "sim/oracle.h"
#include "sim/chance.h"
#include "wire/client.h"

namespace belay::sim {

struct Answer {
  MessageId id;
  int status = 0;  // 0: none, the worker is gone
  wire::Outcome outcome = wire::Outcome::failed;
  std::string reason;
};

class Gate {
 public:
  Gate(event::Loop& loop, const SimClock& clock, Dice& random, upstream::Sender& network, const pipeline::Ruleset& ruleset,
       std::string socket);
  ~Gate();

  void start();
  void crash();  // requests under way get no answer; what was not written to the spool is lost
  bool up() const { return client_ != nullptr; }
  const wire::SpoolClient& spool() const { return *client_; }

  struct Sent {
    std::string path, body;
    std::vector<std::pair<std::string, std::string>> fields;
  };
  using Answered = std::function<void(const Answer&)>;
  // The id is known before anything is decided. `answered` runs in tell() or, without a worker, at once.
  MessageId take(Sent sent, const std::function<void(const MessageId&)>& begins, Answered answered);
  // Between turns: answers of requests that have ended.
  void tell();

 private:
  struct Request;
  void walked(Request& request, pipeline::RunState state);

  event::Loop& loop_;
  const SimClock& clock_;
  Dice& random_;
  const pipeline::Ruleset& ruleset_;
  std::string socket_;
  pipeline::SharedMemory& shared_;
  std::unique_ptr<wire::SpoolClient> client_;
  pipeline::Services services_;
  std::unique_ptr<IdGenerator> ids_;
  std::unordered_map<uint64_t, std::unique_ptr<Request>> requests_;
  std::vector<uint64_t> ended_;
  uint64_t next_ = 1;
};

}  // namespace belay::sim
