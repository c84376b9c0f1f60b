// Equality and order of values as CEL defines them across types: numbers by value whatever their type (a payload's numbers by
// their digits, so nothing is rounded), text by bytes, lists and maps member by member. Private to src/rules.
#pragma once

#include <cstdint>
#include <string>

#include "rules/node.h"

namespace belay::rules {

// Deep equality; values of different types are unequal. Charges the frame; when the work is used up the answer does not
// matter (the evaluation ends with the budget's error).
bool equal(Frame& frame, const Value& a, const Value& b);

// -1, 0, 1; kUnordered for NaN; kIncomparable when there is no order between the two.
constexpr int kUnordered = 2, kIncomparable = 3;
int compare(Frame& frame, const Value& a, const Value& b);

// Whether `==` on these two tells anything: a payload value compared with another type is a mistake, not "different".
bool comparable(const Value& a, const Value& b);

}  // namespace belay::rules
