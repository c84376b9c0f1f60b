// The functions and methods of the language as tables: name, arity, kinds of arguments and result, code. The compiler checks calls
// against them, make_call() checks again at run time and hands over plain values. Private to src/rules.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "rules/node.h"

namespace belay::rules {

enum class Style : uint8_t {
  global,  // f(x)
  method,  // x.f(): the target is arguments[0]
  both,
};

struct Function {
  std::string_view name;  // "startsWith", "optional.of"
  Style style = Style::global;
  uint8_t min = 1, max = 1;        // arguments, the target of a method included; 255: any number
  std::array<Kinds, 4> arguments{};  // the last one counts for further ones
  Kinds result = kAny;
  Value (*run)(Frame& frame, std::span<const Value> arguments, uint32_t offset) = nullptr;
  bool pure = true;  // the same arguments give the same result: constant calls are made when rules load
  bool lazy = false;  // arguments come as they are, payload values not made plain

  Kinds argument(size_t i) const { return arguments[std::min(i, arguments.size() - 1)]; }
};

std::span<const Function> text_functions();        // functions_text.cc
std::span<const Function> format_functions();      // functions_format.cc
std::span<const Function> conversion_functions();  // functions_convert.cc
std::span<const Function> time_functions();        // functions_time.cc
std::span<const Function> list_functions();        // functions_list.cc
std::span<const Function> coding_functions();      // functions_coding.cc: hashes, encodings, JSON
std::span<const Function> math_functions();        // functions_math.cc
std::span<const Function> signing_functions();     // functions_signing.cc: what senders do before they sign

// Every function of that name that can be called so; empty when there is none.
std::vector<const Function*> find_functions(std::string_view name, bool method);
// The nearest name there is, for did-you-mean; empty when nothing is near.
std::string nearest_function(std::string_view name, bool method);
// What is written here for a function of another language: "size(x)" for len; empty when it is not known.
std::string_view meant_function(std::string_view name);

}  // namespace belay::rules
