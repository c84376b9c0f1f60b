// The rules that runs are made with: a real rules file for the real loader, in a few variants of numbers. A seed takes the
// variant seed % kVariants; each is built once in a process. What the model must know of a source stands beside it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pipeline/module.h"

namespace belay::sim {

enum class Shape : uint8_t { plain, order_wait, order_skip, debounce, batch };

struct SourceFacts {
  std::string name;
  bool spool_first = false;      // mode spool, or a route that stores first
  bool signed_by_sender = false;
  Duration dedupe{0};            // window; 0: none
  Shape shape = Shape::plain;
  std::vector<std::string> to;
  Duration expire{0}, delay{0};
  Duration quiet{0}, at_most{0};  // debounce
  size_t batch_max = 0;
  bool array = false;
};

struct Rules {
  static constexpr uint64_t kVariants = 12;
  std::shared_ptr<const pipeline::Ruleset> ruleset;
  std::vector<SourceFacts> sources;
};

inline constexpr char kSigningSecret[] = "a secret of the simulator";

// Aborts when the rules are refused: that is a mistake of the simulator.
const Rules& rules_of(uint64_t seed);

}  // namespace belay::sim
