// `reject` of a source: keeps what its checks refused, so that a person can look at it, mend a secret or a rule, and release it.
// Runs when the outcome stands; the sender's answer does not wait for it. Limits: kMaxBody, kPerSecond and kBurst per source (all
// workers), StoreOptions::kMaxQuarantined in the spool: beyond them only the line of the books is kept. Failure: the line alone.
#pragma once

#include "pipeline/module.h"

namespace belay::modules {

extern const pipeline::Module kReject;

}  // namespace belay::modules
