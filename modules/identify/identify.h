// identify: what a webhook is about — type, id, time, resource — for the log, the books and $event. Never refuses: what
// cannot be read stays empty. The payload is parsed only if one of its expressions reads it. Limit: kMaxText bytes a
// fact.
#pragma once

#include "pipeline/module.h"

namespace belay::modules {

extern const pipeline::Module kIdentify;

}  // namespace belay::modules
