// The list of modules in run order; modules.cc is the only file that names them all.
#pragma once

#include <span>

#include "pipeline/module.h"

namespace belay::modules {

std::span<const pipeline::Module> all();

}  // namespace belay::modules
