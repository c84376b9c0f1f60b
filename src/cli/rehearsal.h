// One recorded webhook under new rules, compared with what became of it: the heart of `belay rehearse`, without its network. The
// keys of dedupe and replay are remembered from one webhook to the next, so they must come oldest first. Forwarded and spooled are
// the same here: which of them it was, the backend decided. One thread.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cli/dry_run.h"
#include "cli/json_view.h"

namespace belay::cli {

struct Difference {
  std::string what;         // "outcome: accepted → filtered (route: unrouted)", "crm: gained"
  std::string destination;  // of the last three
  enum class Kind : uint8_t { outcome, source, gained, lost, rewritten } kind = Kind::outcome;
  std::string before, after;  // of outcome and source
};

class Rehearsal {
 public:
  explicit Rehearsal(DryRun& run) : run_(run) {}

  // `message`: an answer of GET /v1/messages/ID that is stored. An error when it cannot be read.
  Result<std::vector<Difference>> compare(const JsonView& message);

 private:
  // The outcome under the new rules, its reason behind it.
  std::pair<std::string, std::string> outcome(WallTime received);

  DryRun& run_;
  std::map<wire::ClaimKey, WallTime> claimed_;  // until when
};

// What many comparisons add up to.
struct RehearsalSummary {
  static constexpr size_t kMaxExamples = 10;
  struct Destination {
    uint64_t gained = 0, lost = 0, rewritten = 0;
  };
  struct Example {
    std::string id, source;
    std::vector<Difference> differences;
  };

  uint64_t same = 0, changed = 0;
  std::map<std::string, uint64_t> not_kept;  // by outcome: their requests are not stored
  uint64_t unreadable = 0;                   // stored, but they cannot be read any more
  std::map<std::pair<std::string, std::string>, uint64_t> outcomes, sources;
  std::map<std::string, Destination> destinations;
  std::vector<Example> examples;             // the first ones that change, oldest first

  void add(const JsonView& message, std::vector<Difference> differences);
  uint64_t rehearsed() const { return same + changed; }

  std::string text(bool colours) const;
  std::string json() const;
};

}  // namespace belay::cli
