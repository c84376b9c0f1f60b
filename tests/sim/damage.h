// Bit rot: one bit of one stored record changes while the store is closed. The pages of the tree themselves have no checksum and
// are left alone.
#pragma once

#include <string>

#include "sim/oracle.h"
#include "sim/chance.h"

namespace belay::sim {

void damage_record(const std::string& folder, Dice& dice, Oracle& oracle);

}  // namespace belay::sim
