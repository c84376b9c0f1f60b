#include "rules/context.h"

#include <array>

namespace belay::rules {

std::string_view to_string(Variable variable) {
  static constexpr std::array<std::string_view, kVariables> kNames = {"$body", "$raw",   "$form",    "$method", "$path",
                                                                      "$url",  "$host",  "$query",   "$headers", "$client",
                                                                      "$source", "$event", "$ts",    "$secret", "$now",
                                                                      "$param",  "$item",  "$signature"};
  return kNames[static_cast<size_t>(variable)];
}

bool Context::path_part(std::string_view, Value&) { return false; }
Value Context::declared(size_t) { return {}; }

}  // namespace belay::rules
