#include "modules/filter/filter.h"

#include "base/bytes.h"
#include "modules/decode/decode.h"
#include "modules/reply.h"
#include "pipeline/trace.h"
#include "rules/expression.h"

namespace belay::modules {

namespace {

using pipeline::Exchange;
using pipeline::Verdict;

constexpr size_t kMaxConditions = 100;

class Filter final : public pipeline::Handler {
 public:
  Verdict handle(Exchange& exchange) const override;
  std::vector<std::unique_ptr<rules::Expression>> conditions;
};

Verdict Filter::handle(Exchange& exchange) const {
  for (size_t i = 0; i < conditions.size(); ++i) {
    const rules::Value holds = conditions[i]->run(exchange.context());
    if (exchange.trace != nullptr) exchange.trace->condition("filter " + std::to_string(i + 1), *conditions[i], holds);
    if (holds.is_true()) continue;
    if (refuse_unreadable(exchange, holds)) return Verdict::reply;
    const bool decided = holds.kind() == rules::Kind::boolean;
    std::string reason = "filter";
    if (conditions.size() > 1) reason += " " + std::to_string(i + 1);
    reason += decided ? ": does not match" : ": cannot be evaluated: " + printable(conditions[i]->no_answer(holds).message);
    answer_for_backend(exchange, 200, wire::Outcome::filtered, reason, decided ? "filter: does not match" : "filter: cannot be evaluated");
    return Verdict::reply;
  }
  return Verdict::next;
}

std::unique_ptr<pipeline::Handler> build(const conf::Node& settings, pipeline::BuildContext& context) {
  const size_t before = context.problems.all().size();
  auto filter = std::make_unique<Filter>();
  const auto add = [&](const conf::Node& node) {
    filter->conditions.push_back(rules::Expression::compile(node, rules::Names::request(), context.problems, rules::Want::boolean));
  };
  if (settings.is_scalar()) add(settings);
  for (const conf::Node& item : settings.items()) add(item);
  if (filter->conditions.empty() || filter->conditions.size() > kMaxConditions) {
    context.problems.add(settings.position(), "filter is a condition or a list of 1 to " + std::to_string(kMaxConditions),
                         "write filter: eventType.startsWith(\"Customer.\")");
  }
  return context.problems.all().size() == before ? std::move(filter) : nullptr;
}

}  // namespace

const pipeline::Module kFilter = {
    .key = "filter",
    .stage = pipeline::Stage::on_body,
    .help = "conditions that all must hold; else 200, counted as filtered",
    .build = build,
};

}  // namespace belay::modules
