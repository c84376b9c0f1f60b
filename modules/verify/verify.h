// verify: refuses with 401 what does not carry the sender's proof (signature/scheme.h). Decides the source's trust level. Waits
// for keys that a sender publishes while they are fetched; answers 503 when they cannot be had, for then nobody knows.
#pragma once

#include <memory>
#include <string_view>

#include "pipeline/module.h"
#include "signature/scheme.h"

namespace belay::modules {

// The secrets and parameters of a source.
signature::Keyring keyring_of(pipeline::BuildContext& context);

// The scheme of a source's `verify`; null with problems recorded. Shared with handshake.
std::unique_ptr<signature::Scheme> build_scheme_of(const conf::Node& settings, pipeline::BuildContext& context);

// The answer to a check that did not find the request genuine: 401, or 503 when its keys are not to be had.
void refuse_proof(pipeline::Exchange& exchange, const signature::Finding& finding);

extern const pipeline::Module kVerify;

}  // namespace belay::modules
