// schema: the payload against a JSON Schema (2020-12; README.md has the subset), one for the source or one for each type of
// event, read and compiled when rules load. Runs behind identify, whose type chooses the schema. A payload that does not fit is
// 422 with the place and the keyword, never with values; one that cannot be read is 400. Limits: those of schema::Compiler
// and schema::Validator.
#pragma once

#include "pipeline/module.h"

namespace belay::modules {

extern const pipeline::Module kSchema;

}  // namespace belay::modules
