// What the text of a JSON number means, without losing digits. `raw` is always a number that json::Document accepted
// (RFC 8259 §6), of any length. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace belay::json {

// The whole value when it is an integer as written and fits; nullopt otherwise.
std::optional<int64_t> to_int64(std::string_view raw);
std::optional<uint64_t> to_uint64(std::string_view raw);
// The nearest double; ±infinity beyond its range.
double to_double(std::string_view raw);

// -1, 0, 1 by value: 100.10 equals 100.1 and 1e2 equals 100; exact for any number of digits. Linear in the texts.
int compare_numbers(std::string_view a, std::string_view b);

// No fraction by value: 7, 7.0, 0.7e1. Linear in the text.
bool is_whole(std::string_view raw);
// Whether `raw` is `divisor` taken a whole number of times; exact up to about 36 digits of the two brought to one power of
// ten, by doubles beyond. `divisor` is not zero.
bool is_multiple(std::string_view raw, std::string_view divisor);

}  // namespace belay::json
