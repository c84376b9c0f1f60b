#include "cli/explained.h"

namespace belay::cli {

using pipeline::Trace;

namespace {

ExplainedRoute& route_of(Explained& explained, uint32_t number) {
  for (ExplainedRoute& route : explained.routes) {
    if (route.number == number) return route;
  }
  return explained.routes.emplace_back(ExplainedRoute{.number = number, .transformed = false, .changes = {}, .sends = {}});
}

void read_changes(const Explained& explained, ExplainedRoute& route) {
  const pipeline::Exchange& exchange = explained.exchange;
  const auto& rules = exchange.source->named->node.at("routes").items();
  const Trace::Send& send = *route.sends.front();
  route.transformed = rules[route.number - 1].at("transform").present() && send.failure.empty();
  if (!route.transformed) return;
  route.changes = head_changes(exchange.request, send.request, exchange.client.vouched, explained.mask);
  for (const Change& change : payload_changes(exchange.body, send.request.body)) {
    route.changes.push_back({change.kind, change.place, explained.mask.text(change.before), explained.mask.text(change.after)});
  }
}

}  // namespace

Explained::Explained(const DryRun& run) : exchange(run.exchange()), trace(run.trace()), mask(exchange.source) {
  mask.add(exchange);
  for (const Trace::Send& send : trace.sends) {
    mask.add(*send.to, *run.ruleset().configuration);
    route_of(*this, send.route + 1).sends.push_back(&send);
    if (send.at_once) answered_by = send.to->name;
  }
  for (ExplainedRoute& route : routes) read_changes(*this, route);
  if (exchange.source != nullptr) {
    const auto& steps = exchange.source->steps;
    const size_t before = run.ruleset().before.size();
    for (size_t i = trace.steps.size() - before; i < steps.size(); ++i) not_reached.push_back(steps[i].module->key);
  }
  const Trace::Decision last = trace.steps.back().decision;
  if (last == Trace::Decision::passed || last == Trace::Decision::excused) between = exchange.reason;
}

std::string_view to_string(Trace::Decision decision) {
  switch (decision) {
    case Trace::Decision::passed: return "passed";
    case Trace::Decision::answered: return "answered";
    case Trace::Decision::excused: return "excused";
    case Trace::Decision::waits: return "waits";
  }
  return "";
}

std::string_view to_string(Trace::Truth truth) {
  return truth == Trace::Truth::yes ? "true" : truth == Trace::Truth::no ? "false" : "error";
}

}  // namespace belay::cli
