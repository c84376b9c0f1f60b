#include "rules/catalogue.h"

#include <algorithm>

#include "rules/context.h"
#include "rules/functions.h"

namespace belay::rules {

namespace {

struct Group {
  std::string_view name;
  std::span<const Function> (*functions)();
};
constexpr Group kGroups[] = {{"text", text_functions},   {"formatting", format_functions}, {"conversions", conversion_functions}, {"times", time_functions},
                             {"lists", list_functions}, {"encodings", coding_functions},   {"numbers", math_functions}};

// "string", "text|list|map", "number", "any".
std::string kinds_text(Kinds kinds) {
  if ((kinds & kAny) == kAny) return "any";
  std::string out;
  const auto add = [&](Kinds group, std::string_view name) {
    if ((kinds & group) != group) return;
    out.append(out.empty() ? "" : "|").append(name);
    kinds &= ~group;
  };
  add(kNumber, "number");
  for (int i = 0; i < static_cast<int>(Kind::error); ++i) add(bit(static_cast<Kind>(i)), to_string(static_cast<Kind>(i)));
  return out;
}

std::string argument(const Function& function, size_t i) { return kinds_text(function.argument(i)); }

// Optional arguments in brackets; "…" for any number.
std::string call_text(const Function& function, bool method) {
  constexpr uint8_t kAnyNumber = 255;
  std::string out;
  size_t first = 0;
  if (method) {
    out = argument(function, 0) + '.';
    first = 1;
  }
  out.append(function.name).append(1, '(');
  const size_t shown = function.max == kAnyNumber ? std::max<size_t>(function.min, first + 1) : function.max;
  for (size_t i = first; i < shown; ++i) {
    const bool optional = i >= function.min;
    out.append(optional ? "[" : "").append(i > first ? ", " : "").append(argument(function, i)).append(optional ? "]" : "");
  }
  if (function.max == kAnyNumber) out += ", …";
  return out += ')';
}

}  // namespace

std::vector<Call> catalogue() {
  std::vector<Call> all;
  for (const Group& group : kGroups) {
    for (const Function& function : group.functions()) {
      const std::string result = function.result == kAny ? std::string() : kinds_text(function.result);
      if (function.style != Style::method) all.push_back({group.name, function.name, call_text(function, false), result});
      if (function.style != Style::global) all.push_back({group.name, function.name, call_text(function, true), result});
    }
  }
  for (const std::string_view name : global_forms()) all.push_back({"macros", name, std::string(name) + "(…)", {}});
  for (const std::string_view name : method_forms()) all.push_back({"macros", name, "value." + std::string(name) + "(…)", {}});
  return all;
}

std::vector<std::string_view> variable_names() {
  std::vector<std::string_view> names;
  for (int i = 0; i < kVariables; ++i) names.push_back(to_string(static_cast<Variable>(i)));
  return names;
}

}  // namespace belay::rules
