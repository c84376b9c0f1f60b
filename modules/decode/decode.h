// decode: how rules read the payload of a source: as JSON, a form, XML or not at all, in which charset, and how large it may be
// once unfolded. It only keeps the settings (pipeline::Source::decode): reading is lazy, by the first rule that needs the payload.
// Also the answer of every module whose rule needed a payload that cannot be read.
#pragma once

#include "pipeline/module.h"
#include "rules/value.h"

namespace belay::modules {

extern const pipeline::Module kDecode;

// Whether `result` of a rule is missing because the payload cannot be read; then the exchange is answered: 400, rejected,
// "decode: …".
bool refuse_unreadable(pipeline::Exchange& exchange, const rules::Value& result);

}  // namespace belay::modules
