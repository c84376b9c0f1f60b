// `belay openapi`: all sources of a ruleset as one OpenAPI 3.1 document: paths and methods, what a sender must prove, the body's schema
// where a source has one, and every answer Belay may give. Pure but for reading schema files.
#pragma once

#include <string>

#include "base/result.h"
#include "pipeline/module.h"

namespace belay::cli {

Result<std::string> openapi_json(const pipeline::Ruleset& ruleset);

}  // namespace belay::cli
