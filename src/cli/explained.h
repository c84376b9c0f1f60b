// What explain's two views share: the route-wise reading of a dry run. Private to explain_text.cc and explain_json.cc. Views of the
// run: it must outlive them.
#pragma once

#include <string_view>
#include <vector>

#include "cli/changes.h"
#include "cli/dry_run.h"
#include "cli/masking.h"

namespace belay::cli {

struct ExplainedRoute {
  uint32_t number = 0;  // from 1
  bool transformed = false;
  std::vector<Change> changes;
  std::vector<const pipeline::Trace::Send*> sends;
};

struct Explained {
  explicit Explained(const DryRun& run);

  const pipeline::Exchange& exchange;
  const pipeline::Trace& trace;
  Mask mask;
  std::vector<ExplainedRoute> routes;            // that send something
  std::vector<std::string_view> not_reached;     // modules of the source that did not run
  // A refusal between two modules: size or type of the body. Empty when a module answered.
  std::string_view between;
  // The destination whose backend answers the sender; empty: Belay does.
  std::string_view answered_by;
};

std::string_view to_string(pipeline::Trace::Decision decision);
std::string_view to_string(pipeline::Trace::Truth truth);  // "true" "false" "error"

}  // namespace belay::cli
