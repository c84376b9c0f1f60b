// The module interface: a feature of the rules language is a folder in modules/, one line in modules/modules.cc, and these
// types. Handlers are built when rules load, const, and shared by all requests of a worker; what they need at run time comes
// through Exchange::services, so they run unchanged in the simulator.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "conf/configuration.h"
#include "payload/payload.h"
#include "pipeline/exchange.h"
#include "pipeline/shared_memory.h"
#include "signature/key_source.h"
#include "signature/trust.h"
#include "upstream/client.h"
#include "wire/client.h"

namespace belay::pipeline {

enum class Verdict : uint8_t {
  next,    // carry on with the next module
  reply,   // exchange.reply is filled in: skip to the log
  parked,  // the module took exchange.park() and resumes it exactly once, on a later turn of the loop
};

// What must have arrived before a module runs.
enum class Stage : uint8_t { on_head, on_body };

// Where a module's settings stand and how often it is built.
enum class Scope : uint8_t {
  gateway,  // once, from the whole configuration, before a source is known (match: listed before every source module) or
            // after the outcome (log: listed behind them). With `settings`, its key may also stand in a source.
  source,   // once per source, from sources.NAME.<key>; also without the key when `always` is set
};

class Handler {
 public:
  virtual ~Handler() = default;
  virtual Verdict handle(Exchange& exchange) const = 0;  // never blocks, never throws
  // The worker calls it for every step of Ruleset::after once a turn (event::Loop::TurnEnd) and once before it ends: to
  // write in one go what handle() gathered.
  virtual void turn_end() const {}
};

using signature::Trust;  // of a source: the strongest of what its handlers prove
using signature::to_string;

struct Ruleset;

// What handlers are built from. Lives during the build only; pointers into `configuration` and `ruleset` stay valid.
struct BuildContext {
  const conf::Configuration& configuration;
  const upstream::Destinations& destinations;
  conf::Problems& problems;
  Ruleset& ruleset;                  // being built; for match: all its sources are there
  Source* source = nullptr;          // Scope::source
  const conf::SecretSource& secrets; // of the file the source stands in
};

struct Module {
  std::string_view key;     // "verify": YAML key = folder = log tag = metric label = test name
  Stage stage = Stage::on_head;
  Scope scope = Scope::source;
  bool always = false;      // built for every source, settings or not
  std::string_view help;    // one line; the longer text is the folder's README.md
  std::span<const conf::Setting> settings;  // its keys, for checks and the generated reference
  // Null with problems recorded when settings are wrong; null without problems: this source does not need it.
  std::unique_ptr<Handler> (*build)(const conf::Node& settings, BuildContext& context) = nullptr;
};

// A source with its chain, in run order.
struct Source {
  struct Step {
    const Module* module = nullptr;
    std::unique_ptr<Handler> handler;
  };
  std::string name;
  uint32_t index = 0;               // position in Ruleset::sources: for counters
  const conf::Named* named = nullptr;
  conf::Node preset;                // of `preset:`; missing when there is none. Modules read their key there when the source lacks it
  uint64_t body_max = 0;                // body.max, else the gateway's limit
  std::vector<std::string> body_types;  // body.types in lower case; empty: any
  payload::Options decode;              // how rules read the payload
  Trust trust = Trust::open;
  std::vector<Step> steps;          // stages ascending: all on_head before the first on_body
  // source.reply: what the sender gets when Belay answers for the backend; status 0: Belay's own JSON.
  int reply_status = 0;
  std::string reply_head, reply_body;

  // The node of a module's key: the source's own, else the preset's; missing when neither has it. Source keys that no module
  // owns (kSourceSettings in ruleset.cc): preset secrets trust mode reply body routes.
  const conf::Node& settings_of(std::string_view key) const;
};

struct Ruleset {
  std::shared_ptr<const conf::Configuration> configuration;
  upstream::Destinations destinations;
  std::vector<std::unique_ptr<Source>> sources;
  std::vector<Source::Step> before;  // gateway modules before the source is known: match
  std::vector<Source::Step> after;   // gateway modules after the outcome: log
};

// Builds the whole ruleset with `modules` in their order. Null when there were problems. A source whose rules prove nothing
// (trust open) must say so when a listener is reachable from outside loopback.
std::shared_ptr<const Ruleset> build_ruleset(std::shared_ptr<const conf::Configuration> configuration,
                                             std::span<const Module> modules, conf::Problems& problems);

// Outcomes counted per source since the worker started: one row for every source in ruleset order and a last one for
// requests that matched none.
class OutcomeCounters {
 public:
  static constexpr size_t kOutcomes = 6;  // wire::Outcome, forwarded = 1 first

  explicit OutcomeCounters(size_t sources) : values_((sources + 1) * kOutcomes) {}
  uint64_t& at(const Source* source, wire::Outcome outcome) {
    const size_t row = source != nullptr ? source->index : values_.size() / kOutcomes - 1;
    return values_[row * kOutcomes + static_cast<size_t>(outcome) - 1];
  }

 private:
  std::vector<uint64_t> values_;
};

// What a worker gives its exchanges. One per worker.
struct Services {
  const Clock& clock;
  Random& random;
  SharedMemory& shared;
  size_t slot = 0;                        // the worker's row in shared.workers
  wire::SpoolClient* spool = nullptr;     // null: no spool configured
  upstream::Sender* upstream = nullptr;
  signature::KeySource* keys = nullptr;   // published keys of senders; null: schemes that need them answer 503
  MemoryBudget* memory = nullptr;         // limits.memory; null: nothing is counted
  OutcomeCounters* counters = nullptr;    // the runner counts; null: nobody does (tests, explain)
};

// Walks an exchange through its modules. Every exchange is counted and logged exactly once.
class Runner {
 public:
  using State = RunState;
  // Told once, on a later turn, how a parked walk went on: need_body or done.
  using Resumed = std::function<void(State)>;
  // `body_complete` says whether on_body modules may run. `resumed` is kept while the exchange is parked.
  static State run(const Ruleset& ruleset, Exchange& exchange, bool body_complete, const Resumed& resumed);
  // For a request that is answered beside the modules (malformed head, cap, deadline, body too large), with exchange.reply
  // filled in: gives up what is parked, counts and logs.
  static void finish(const Ruleset& ruleset, Exchange& exchange);

 private:
  friend class Resume;
  static State walk(Exchange& exchange);
  static void resume(Exchange& exchange);
};

}  // namespace belay::pipeline
