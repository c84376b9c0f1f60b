// How many files and sockets this process may have open.
#pragma once

#include <cstdint>

namespace belay {

// Raises the limit to the most that the system allows without privileges, and says how many that are.
int64_t raise_descriptors();

}  // namespace belay
