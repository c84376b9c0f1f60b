// What the fault tests share: rules with one path that forwards and one that stores first, the spool as a process of its own
// that can be put under strace or another environment, and the two questions every test ends with: has the backend all that
// was acknowledged, and do the books balance (`belay audit`)?
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "support/backend.h"
#include "support/gateway.h"
#include "support/senders.h"
#include "support/skip.h"

namespace belay::test {

// Sources /now (forwards) and /later (stores first), a destination for each, both at `backend`.
std::string two_ways(const Backend& backend, const std::string& destination = "timeout: 5s, retry: { first: 100ms, max: 500ms, attempts: 1000 }");

size_t count_of(const std::string& text, const std::string& word);
bool gone(pid_t pid);
// User and system time of a process so far.
Milliseconds cpu_time(pid_t pid);
bool can_trace();             // strace may trace here; says so when not
bool has_tool(const std::string& tool);

// `belay spool` beside a Gateway of command "proxy": of the same main file, killed with whatever it runs under.
class SpoolHalf {
 public:
  // `before` are the words in front of the command: {"strace", …}.
  SpoolHalf(const TempFolder& folder, const Gateway& gateway, std::vector<std::string> before = {},
            std::vector<std::pair<std::string, std::string>> environment = {});
  ~SpoolHalf() { end(); }
  void end();                    // SIGKILL
  bool running() { return process_->running(); }
  pid_t pid() const;             // of belay itself, also under a tracer
  bool wait_until_ready();       // or ended
  Process& process() { return *process_; }
  std::string log() const { return process_->err().substr(log_before_); }  // of this one alone

 private:
  std::unique_ptr<Process> process_;
  bool traced_ = false;
  size_t log_before_ = 0;
};

// Reads what the backend writes down as it grows: bodies that it answered with 2xx, by their sha256.
class Arrived {
 public:
  explicit Arrived(const Backend& backend) : file_(backend.record_file()) {}
  const std::set<std::string>& update();
  const std::set<std::string>& ids() const { return ids_; }  // webhook-ids of all attempts, whatever the answer
  size_t attempts() const { return attempts_; }
  size_t repeated() const { return repeated_; }  // 2xx for what had one before
  // How many of the bodies it has not had.
  size_t missing(const std::set<std::string>& bodies);

 private:
  std::string file_;
  size_t read_ = 0, attempts_ = 0, repeated_ = 0;
  std::set<std::string> bodies_, ids_;
};

struct Totals {
  uint64_t spooled = 0, waiting = 0, delivered = 0, dead = 0, cancelled = 0, superseded = 0, quarantined = 0;
  bool accepting = false;
};
// Of GET /v1/stats, all destinations together; nullopt while nobody answers.
std::optional<Totals> totals(const Gateway& gateway);

// The end of every story: all that was acknowledged arrives, nothing waits, nothing is dead, the books balance.
void check_promises(const Gateway& gateway, const Backend& backend, const Senders& senders, Milliseconds limit = Milliseconds(30'000));
// No sender was told that it did something wrong.
void check_answers(const Senders& senders);

}  // namespace belay::test
