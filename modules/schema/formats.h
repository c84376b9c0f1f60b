// The formats of JSON Schema that are checked. Pure.
#pragma once

#include <string>
#include <string_view>

#include "modules/schema/node.h"

namespace belay::modules::schema {

// nullptr: not one that is checked.
const Format* find_format(std::string_view name);
std::string format_names();  // "date-time, date, …"

}  // namespace belay::modules::schema
