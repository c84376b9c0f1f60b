// The settings of a scheme that are no secrets (`params:` of a source): what they are, and where the rules may name them.
// Read when rules load, const afterwards.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "conf/section.h"
#include "rules/expression.h"

namespace belay::signature {

using Params = std::map<std::string, std::string, std::less<>>;

// `params: {NAME: text}`; an absent node is an empty table.
Params read_params(const conf::Node& node, conf::Problems& problems);

// What expressions of a scheme may name: everything, and behind $param what is given.
rules::Names scheme_names(const Params& params);

// A text of the rules that may be made of parameters, which are known when rules load; empty with a problem recorded.
std::string with_params(const conf::Node& node, const Params& params, conf::Problems& problems);

// $param.NAME.
class ParamTable final : public rules::Table {
 public:
  explicit ParamTable(const Params& params) : params_(params) {}
  bool find(std::string_view name, rules::Arena& arena, rules::Value& out) const override;

 private:
  const Params& params_;
};

}  // namespace belay::signature
