// Syntax to nodes: resolves names (macro variables, payload fields, `$names`), expands macros, checks calls and kinds as far as they
// are known, makes constants. Private to src/rules. When rules load; reports every problem it finds, not only the first.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rules/expression.h"
#include "rules/nodes.h"
#include "rules/syntax.h"

namespace belay::rules {

class Compiler {
 public:
  // Constants go to `arena`, which must live as long as the nodes.
  Compiler(const Names& names, Arena& arena) : names_(names), arena_(arena) {}

  // Null when there were complaints.
  NodePtr compile(const Syntax& syntax, Want want);
  const std::vector<Complaint>& complaints() const { return complaints_; }

  uint32_t variables_read() const { return variables_read_; }
  bool reads_payload() const { return reads_payload_; }
  uint32_t locals() const { return max_locals_; }
  const std::vector<Lookup>& lookups() const { return lookups_; }

 private:
  struct Local {
    std::string name;
    uint32_t slot;
  };

  NodePtr complain(size_t offset, std::string what, std::string hint = {});
  NodePtr node(const Syntax& syntax);  // never null: a complaint leaves a placeholder, so that compiling goes on
  NodePtr placeholder(size_t offset);

  NodePtr literal(const Syntax& syntax);
  NodePtr name(const Syntax& syntax);
  NodePtr variable(const Syntax& syntax);
  NodePtr select(const Syntax& syntax);
  bool check_member(const Syntax& base, const std::string& field, size_t offset);
  void note_lookup(const Syntax& base, const Syntax& key, bool needed);
  void note_lookup(const Syntax& base, const std::string& name, bool needed, size_t offset);
  void check_params();
  NodePtr operation(const Syntax& syntax);
  NodePtr logical(const Syntax& syntax);
  NodePtr comparison(const Syntax& syntax);
  NodePtr arithmetic(const Syntax& syntax);
  NodePtr list(const Syntax& syntax);
  NodePtr map(const Syntax& syntax);
  NodePtr call(const Syntax& syntax);
  NodePtr method(const Syntax& syntax);
  NodePtr has(const Syntax& syntax);
  NodePtr bind(const Syntax& syntax);
  NodePtr optional_form(const Syntax& syntax);
  NodePtr loop(const Syntax& syntax, Loop kind, bool pair);
  NodePtr plain_call(const Syntax& syntax, std::string_view name, bool is_method, std::vector<NodePtr> arguments);
  NodePtr matches(const Syntax& syntax, std::vector<NodePtr>& arguments);
  NodePtr fold(const Function& function, std::vector<NodePtr> arguments, size_t offset);
  NodePtr operand(const Syntax& syntax, Kinds wanted, std::string_view whose);

  const Local* find_local(std::string_view name) const;
  // The name of a macro variable; empty after a complaint.
  std::string loop_name(const Syntax& syntax);
  uint32_t declare(const std::string& name);
  void undeclare(size_t count) { scope_.resize(scope_.size() - count); }
  bool is_payload_name(const Syntax& syntax) const;
  std::string label(const Syntax& syntax) const;
  std::string_view keep(std::string_view text);

  const Names& names_;
  Arena& arena_;
  std::vector<Complaint> complaints_;
  std::vector<Local> scope_;
  std::vector<Lookup> lookups_;
  uint32_t next_slot_ = 0;
  uint32_t max_locals_ = 0;
  uint32_t nodes_ = 0;
  uint32_t variables_read_ = 0;
  bool reads_payload_ = false;
  bool has_default_ = false;  // what is compiled may be absent: default() takes its place
};

// Expression::holds_raw() of a syntax tree.
bool holds_raw(const Syntax& syntax);

}  // namespace belay::rules
