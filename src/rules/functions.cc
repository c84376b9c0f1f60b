#include "rules/functions.h"

#include <utility>

#include "conf/section.h"
#include "rules/catalogue.h"

namespace belay::rules {

namespace {

using TableOf = std::span<const Function> (*)();
constexpr TableOf kTables[] = {text_functions, format_functions, conversion_functions, time_functions, list_functions, coding_functions, math_functions, signing_functions};

// Macros and forms that the compiler knows itself.
constexpr std::string_view kGlobalForms[] = {"has", "default", "cel.bind"};
constexpr std::string_view kMethodForms[] = {"all",     "exists",     "exists_one",    "existsOne",    "filter",
                                             "map",     "optMap",     "optFlatMap",    "orValue",      "or",
                                             "transformList", "transformMap", "transformMapEntry"};

// What other languages call it, and what it is here.
constexpr std::pair<std::string_view, std::string_view> kElsewhere[] = {
    {"len", "size(x)"},
    {"length", "size(x)"},
    {"count", "size(x)"},
    {"strlen", "size(x)"},
    {"isEmpty", "size(x) == 0"},
    {"beginsWith", "x.startsWith(\"…\")"},
    {"startswith", "x.startsWith(\"…\")"},
    {"endswith", "x.endsWith(\"…\")"},
    {"includes", "x.contains(\"…\"), for a list: \"…\" in x"},
    {"substr", "x.substring(from, to)"},
    {"slice", "x.substring(from, to)"},
    {"toLowerCase", "lower(x)"},
    {"tolower", "lower(x)"},
    {"toUpperCase", "upper(x)"},
    {"toupper", "upper(x)"},
    {"toString", "string(x)"},
    {"str", "string(x)"},
    {"parseInt", "int(x)"},
    {"Number", "double(x)"},
    {"float", "double(x)"},
    {"some", "items.exists(item, item.price > 0)"},
    {"any", "items.exists(item, item.price > 0)"},
    {"every", "items.all(item, item.price > 0)"},
    {"where", "items.filter(item, item.price > 0)"},
    {"concat", "a + b"},
    {"strip", "x.trim()"},
    {"regex", "x.matches(\"…\")"},
    {"test", "x.matches(\"…\")"},
    {"now", "$now"},
    {"date", "timestamp(x)"},
    {"coalesce", "a.?b.orValue(…)"},
    {"exists", "has(a.b)"},
    {"defined", "has(a.b)"},
};

bool callable(const Function& function, bool method) {
  return function.style == Style::both || (function.style == Style::method) == method;
}

}  // namespace

std::span<const std::string_view> global_forms() { return kGlobalForms; }
std::span<const std::string_view> method_forms() { return kMethodForms; }

std::vector<const Function*> find_functions(std::string_view name, bool method) {
  std::vector<const Function*> found;
  for (const TableOf table : kTables) {
    for (const Function& function : table()) {
      if (function.name == name && callable(function, method)) found.push_back(&function);
    }
  }
  return found;
}

std::string_view meant_function(std::string_view name) {
  for (const auto& [elsewhere, here] : kElsewhere) {
    if (elsewhere == name) return here;
  }
  return {};
}

std::string nearest_function(std::string_view name, bool method) {
  std::vector<std::string_view> known;
  for (const TableOf table : kTables) {
    for (const Function& function : table()) {
      if (callable(function, method)) known.push_back(function.name);
    }
  }
  if (method) {
    known.insert(known.end(), std::begin(kMethodForms), std::end(kMethodForms));
  } else {
    known.insert(known.end(), std::begin(kGlobalForms), std::end(kGlobalForms));
  }
  return conf::nearest(name, known);
}

}  // namespace belay::rules
