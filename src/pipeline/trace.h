// What was decided about one request on its way, and why: for `belay explain` and `belay rehearse`. Exchange::trace points at one
// while those walk a request; in production it is null, and every use costs one branch. Owned by the command; one exchange, one
// thread. With a trace nothing leaves the process: deliver composes what it would send, and nothing is counted or logged.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conf/node.h"
#include "signature/finding.h"
#include "upstream/destination.h"
#include "wire/messages.h"

namespace belay::rules {
class Expression;
class Value;
}

namespace belay::pipeline {

class Trace {
 public:
  enum class Decision : uint8_t {
    passed,
    answered,  // the sender has its reply
    excused,   // it would have refused (without_proof), or only a running gateway knows
    waits,     // for something that only a running gateway has
  };
  enum class Truth : uint8_t { no, yes, error };

  struct Condition {
    std::string place;  // "filter 2", "route 1"
    std::string text;   // of the expression, or "always"
    conf::Position position;
    Truth truth = Truth::no;
    std::string error;  // why it cannot be evaluated
  };

  // One module that ran.
  struct Step {
    std::string_view module;
    Decision decision = Decision::passed;
    std::string note;                                        // why it was excused
    std::vector<std::pair<std::string, std::string>> facts;  // what it found, for people
    std::vector<Condition> conditions;
  };

  // What one destination would get.
  struct Send {
    std::shared_ptr<const upstream::Destination> to;
    uint32_t route = 0;        // its number in the source, from 0
    bool at_once = false;      // forwarded while the sender waits; else by the spool
    wire::StoredRequest request;
    std::string head;          // as upstream::append_head writes it for the first url
    std::string failure;       // why nothing can be sent
  };

  // verify and auth say what they would refuse and let it pass.
  bool without_proof = false;

  // What the spool would be given, when it is asked for: by those who let present rules decide anew.
  bool wants_put = false;
  std::optional<wire::Put> put;

  std::vector<Step> steps;
  std::vector<Send> sends;

  // By the runner, around each module.
  void enter(std::string_view module) { steps.push_back({.module = module, .decision = Decision::passed, .note = {}, .facts = {}, .conditions = {}}); }
  void leave(Decision decision);

  // By the module under way.
  void fact(std::string_view name, std::string_view value) { steps.back().facts.emplace_back(name, value); }
  void condition(std::string place, const rules::Expression& expression, const rules::Value& value);
  void no_condition(std::string place, conf::Position position);  // it always holds
  // True when the module is to let the request pass although it proves nothing: without_proof, or only a running gateway, which
  // fetches the sender's keys, could tell.
  bool excuses(const signature::Finding& finding, bool fetches);
};

}  // namespace belay::pipeline
