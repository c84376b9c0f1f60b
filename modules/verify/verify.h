// verify: refuses with 401 what does not carry the sender's proof (scheme.h). Decides the source's trust level.
#pragma once

#include <memory>
#include <string_view>

#include "signature/scheme.h"
#include "pipeline/module.h"

namespace belay::modules {

// The scheme of a source's `verify`, with its secrets; null with problems recorded. Shared with handshake.
std::unique_ptr<signature::Scheme> build_scheme_of(const conf::Node& settings, pipeline::BuildContext& context);

// The 401 for a failed check.
void refuse_proof(pipeline::Exchange& exchange, std::string_view reason);

extern const pipeline::Module kVerify;

}  // namespace belay::modules
