// A decision that may need keys which a sender publishes: while such a document is on its way the exchange is parked, and the
// question is asked again when it is there. Used by every module that checks a proof. Limits: kMaxKeyWaits documents one after
// the other, then the keys count as unavailable. Failure: the last finding.
#pragma once

#include <functional>

#include "pipeline/module.h"
#include "signature/finding.h"

namespace belay::pipeline {

inline constexpr int kMaxKeyWaits = 8;

// `ask` may be called several times; `conclude` once, with a finding that is not pending, unless the sender goes away first.
// Both must live as long as the ruleset does: capture the handler, nothing of the stack.
using AskProof = std::function<signature::Finding(Exchange&)>;
using ConcludeProof = std::function<Verdict(Exchange&, const signature::Finding&)>;
Verdict decide_with_keys(Exchange& exchange, const AskProof& ask, const ConcludeProof& conclude, int waits = kMaxKeyWaits);

}  // namespace belay::pipeline
