// `dedupe` of a source: names the key that a webhook takes when it is accepted. The spool decides about it (spool/claims.h): in
// mode spool in the commit that stores the webhook, in mode forward before the backend is asked, kept when that said 2xx.
// Failure: a key that cannot be evaluated is replaced by the hash of the body, so that a sender's retry is still seen.
#pragma once

#include "pipeline/module.h"

namespace belay::modules {

extern const pipeline::Module kDedupe;

// The key of a claim: a hash over the source, what kind of claim it is, and the value.
wire::ClaimKey claim_key(std::string_view source, std::string_view kind, std::string_view value);

}  // namespace belay::modules
