// The nodes by what they do; each function makes one. The compiler has checked names, arity and what is known of kinds; the nodes
// check kinds again at run time. Private to src/rules.
#pragma once

#include <string>
#include <vector>

#include "rules/node.h"
#include "rules/syntax.h"

namespace belay::rules {

// access.cc: how values are reached. `label` is the path as written, for "no such key: order.total".
struct Field {
  json::Key key;
  std::string label;
};
NodePtr make_root(Field field, uint32_t offset);  // a bare name
NodePtr make_variable(Variable variable, uint32_t offset);
NodePtr make_path_part(std::string name, uint32_t offset);
NodePtr make_declared(size_t index, uint32_t offset);
NodePtr make_local(uint32_t slot, uint32_t offset);
NodePtr make_select(NodePtr base, Field field, bool optional, uint32_t offset);
NodePtr make_index(NodePtr base, NodePtr key, bool optional, uint32_t offset);
NodePtr make_has(NodePtr base, Field field, uint32_t offset);
NodePtr make_has_root(Field field, uint32_t offset);
NodePtr make_has_path_part(std::string name, uint32_t offset);
NodePtr make_table_all(NodePtr base, NodePtr name, uint32_t offset);

// operators.cc
NodePtr make_logical(bool is_or, std::vector<NodePtr> terms, uint32_t offset);
NodePtr make_not(NodePtr term, uint32_t offset);
NodePtr make_conditional(NodePtr condition, NodePtr yes, NodePtr no, uint32_t offset);
NodePtr make_comparison(Operator op, NodePtr left, NodePtr right, uint32_t offset);
NodePtr make_in(NodePtr item, NodePtr container, uint32_t offset);

// arithmetic.cc
NodePtr make_arithmetic(Operator op, NodePtr left, NodePtr right, uint32_t offset);
NodePtr make_negate(NodePtr term, uint32_t offset);

// literals.cc: lists and maps with what stands in them.
NodePtr make_list(std::vector<NodePtr> items, std::vector<bool> optional, uint32_t offset);
NodePtr make_map(std::vector<NodePtr> keys_and_values, std::vector<bool> optional, uint32_t offset);

// loops.cc: macros. `key_slot` and `value_slot` are locals; one-variable forms over a list use value_slot, over a map key_slot:
// both are given, and `pair` says whether the macro has two variables.
enum class Loop : uint8_t { all, exists, exists_one, filter, map, transform_list, transform_map, transform_map_entry };
struct LoopParts {
  Loop loop = Loop::all;
  bool pair = false;
  uint32_t first_slot = 0, second_slot = 0;
  uint32_t cost = 1;  // steps of one turn
  NodePtr range, condition, result;  // condition may be null for map; result is null for all, exists, filter
};
NodePtr make_loop(LoopParts parts, uint32_t offset);
NodePtr make_bind(uint32_t slot, NodePtr value, NodePtr body, uint32_t offset);  // cel.bind
NodePtr make_optional_map(uint32_t slot, NodePtr target, NodePtr body, bool flat, uint32_t offset);

// calls.cc
struct Function;
NodePtr make_call(const Function& function, std::vector<NodePtr> arguments, uint32_t offset);
NodePtr make_default(NodePtr value, NodePtr otherwise, uint32_t offset);
NodePtr make_or_value(NodePtr target, NodePtr otherwise, bool flat, uint32_t offset);  // orValue, or
// Null with `problem` set when the pattern is not a regular expression.
NodePtr make_matches(NodePtr text, std::string_view pattern, uint32_t offset, std::string& problem);

}  // namespace belay::rules
