// limit: how many webhooks a source, a client or a key may send. The generic cell rate algorithm (pipeline/rate_rule.h) over
// one 16-byte bucket a key in memory that all workers share; keys are hashes of names and settings, so a reload keeps them.
// 429 + Retry-After, or with `over: spool` stored for later. In a source with `verify` a webhook counts for its client first
// and for source or key only when it is proved, so that junk cannot use up a sender's rate. Failure: a full table forgives a
// key, it never locks one out (pipeline/shared_memory.h).
#pragma once

#include "pipeline/module.h"

namespace belay::modules {

extern const pipeline::Module kLimit;
// The same settings once more, behind verify.
extern const pipeline::Module kLimitProved;

}  // namespace belay::modules
