// What a condition says about one plain value before anything else can matter: `$event.type == "a"`, `data.status in ["a", "b"]`.
// Many conditions can then be looked up by the value of their key instead of being evaluated one by one. Made when rules load, pure.
#pragma once

#include <string>
#include <vector>

namespace belay::rules {

struct Syntax;

struct KeyTest {
  std::string key;                    // an expression: $event.type, data.status, $headers["X-Kind"]
  std::vector<std::string> literals;  // as written, perhaps one twice
};

// The tests that must all hold for `condition` to hold, in the order of its text. Of each: where the key's value is null or a text
// that is no literal, the condition is false (never an error, but for the limits of work and memory); where the key's value is
// an error or of another kind, the condition is false or an error.
std::vector<KeyTest> key_tests(const Syntax& condition);

}  // namespace belay::rules
