// Every function, method and macro of the language as text, from the tables that the compiler reads: for the generated reference.
// Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace belay::rules {

struct Call {
  std::string_view group;  // "text", "lists", "macros", …
  std::string_view name;   // "startsWith", "math.abs"
  std::string text;        // "string.startsWith(string)"
  std::string result;      // "bool"; empty: what its arguments are
};

// In the order of the tables; the macros last.
std::vector<Call> catalogue();

// Macros and forms that the compiler knows itself: has(), all(), …
std::span<const std::string_view> global_forms();
std::span<const std::string_view> method_forms();

// "$body", "$raw", …
std::vector<std::string_view> variable_names();

}  // namespace belay::rules
