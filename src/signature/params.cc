#include "signature/params.h"

#include "http/message.h"
#include "payload/request_context.h"
#include "rules/template.h"

namespace belay::signature {

Params read_params(const conf::Node& node, conf::Problems& problems) {
  Params params;
  if (!node.present()) return params;
  if (!node.is_map()) {
    problems.add(node.position(), "params must be a mapping", "write params: { NAME: value }");
    return params;
  }
  for (const conf::Entry& entry : node.entries()) {
    if (entry.value.is_scalar()) {
      params.emplace(entry.key, entry.value.text());
    } else {
      problems.add(entry.value.position(), "a parameter is text", "write " + entry.key + ": VALUE");
    }
  }
  return params;
}

rules::Names scheme_names(const Params& params) {
  rules::Names names = rules::Names::signature();
  names.params.emplace();
  for (const auto& [name, value] : params) names.params->push_back(name);
  return names;
}

std::string with_params(const conf::Node& node, const Params& params, conf::Problems& problems) {
  if (node.text().find("{{") == std::string::npos) return node.text();
  rules::Names names = scheme_names(params);
  names.payload = false;
  names.variables = 0;
  names.allow(rules::Variable::param);
  const auto made = rules::Template::compile(node, names, problems);
  if (!made) return {};
  const http::RequestHead head;
  payload::RequestContext context({.head = &head});
  const ParamTable table(params);
  payload::Lent lent;
  lent.params = &table;
  context.lend(&lent);
  const auto text = made->render(context);
  if (!text) problems.add(node.position(), "cannot be made of these params: " + text.error().message);
  return text ? *text : std::string();
}

bool ParamTable::find(std::string_view name, rules::Arena&, rules::Value& out) const {
  const auto found = params_.find(name);
  if (found == params_.end()) return false;
  out = rules::Value::string(found->second);
  return true;
}

}  // namespace belay::signature
