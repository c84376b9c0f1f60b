#include "modules/route/route.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/log.h"
#include "modules/decode/decode.h"
#include "modules/reply.h"
#include "rules/expression.h"

namespace belay::modules {

namespace {

using pipeline::Exchange;
using pipeline::Verdict;

constexpr conf::Setting kSettings[] = {
    {.key = "when", .type = conf::Type::expression, .help = "condition; absent: always"},
    {.key = "transform", .type = conf::Type::node, .help = "what is sent in place of the request as received: see modules/transform"},
    {.key = "to", .type = conf::Type::node, .required = true, .help = "a destination, or a list of them"},
};

struct Route {
  std::unique_ptr<rules::Expression> when;  // null: always
  pipeline::Selected to;
};

class Router final : public pipeline::Handler {
 public:
  Verdict handle(Exchange& exchange) const override;
  std::vector<Route> routes;
};

void select(Exchange& exchange, const pipeline::Selected& to, bool several) {
  if (!several) {
    exchange.selected.push_back(to);
    return;
  }
  pipeline::Selected fresh{.destinations = {}, .route = to.route, .request = nullptr, .failure = {}};
  for (const auto& destination : to.destinations) {
    const bool taken =
        std::any_of(exchange.selected.begin(), exchange.selected.end(), [&](const pipeline::Selected& earlier) {
          return std::find(earlier.destinations.begin(), earlier.destinations.end(), destination) !=
                 earlier.destinations.end();
        });
    if (!taken) fresh.destinations.push_back(destination);
  }
  if (!fresh.destinations.empty()) exchange.selected.push_back(std::move(fresh));
}

Verdict Router::handle(Exchange& exchange) const {
  std::string unread;  // why the first condition that could not be evaluated could not
  for (const Route& route : routes) {
    if (route.when) {
      const rules::Value holds = route.when->run(exchange.context());
      if (refuse_unreadable(exchange, holds)) return Verdict::reply;
      if (holds.kind() != rules::Kind::boolean) {
        const std::string why = route.when->no_answer(holds).message;
        if (unread.empty()) unread = why;
        log::debug("route: a condition of source {} cannot be evaluated: {}", exchange.source->name, printable(why));
        continue;
      }
      if (!holds.is_true()) continue;
    }
    select(exchange, route.to, !exchange.selected.empty());
  }
  if (!exchange.selected.empty()) return Verdict::next;
  answer_for_backend(
      exchange, 200, wire::Outcome::filtered,
      unread.empty() ? "route: unrouted" : "route: unrouted; a condition cannot be evaluated: " + printable(unread));
  return Verdict::reply;
}

void read_destination(const conf::Node& name, pipeline::BuildContext& context, pipeline::Selected& to) {
  const auto found = context.destinations.find(name.text());
  if (found == context.destinations.end()) {
    std::vector<std::string_view> known;
    for (const conf::Named& destination : context.configuration.destinations) known.push_back(destination.name);
    const std::string near = conf::nearest(name.text(), known);
    // A destination whose own settings are wrong has been reported there.
    if (std::find(known.begin(), known.end(), name.text()) != known.end()) return;
    context.problems.add(name.position(), "unknown destination '" + printable(name.text()) + "'",
                         near.empty() ? "write it under destinations" : "did you mean '" + near + "'?");
    return;
  }
  if (std::find(to.destinations.begin(), to.destinations.end(), found->second) != to.destinations.end()) {
    context.problems.add(name.position(), "destination '" + name.text() + "' stands twice in this route", "remove one");
    return;
  }
  to.destinations.push_back(found->second);
}

void read_route(const conf::Node& node, pipeline::BuildContext& context, Router& router) {
  if (!node.is_map()) return context.problems.add(node.position(), "a route is a mapping", "write - { to: NAME }");
  const conf::Section section(node, kSettings, context.problems);
  Route route;
  route.to.route = static_cast<uint32_t>(router.routes.size());
  if (section.has("when")) {
    route.when = rules::Expression::compile(section.node("when"), rules::Names::request(), context.problems,
                                            rules::Want::boolean);
  }
  const conf::Node& to = section.node("to");
  if (to.is_scalar()) read_destination(to, context, route.to);
  for (const conf::Node& item : to.items()) read_destination(item, context, route.to);
  if (to.is_map() || (to.is_list() && to.items().empty()))
    section.wrong("to", "to names one destination or a list of them", "write to: NAME");
  router.routes.push_back(std::move(route));
}

std::unique_ptr<pipeline::Handler> build(const conf::Node& settings, pipeline::BuildContext& context) {
  if (settings.present()) {
    context.problems.add(settings.position(), "unknown key 'route'", "did you mean 'routes'?");
    return nullptr;
  }
  const conf::Node& list = context.source->named->node.at("routes");
  if (!list.is_list() || list.items().empty() || list.items().size() > kMaxRoutes) {
    context.problems.add(list.present() ? list.position() : context.source->named->position,
                         "source '" + context.source->name + "' needs a list of 1 to 1000 routes",
                         "write routes: [ { to: NAME } ]");
    return nullptr;
  }
  auto router = std::make_unique<Router>();
  for (const conf::Node& node : list.items()) read_route(node, context, *router);
  return router;
}

}  // namespace

const pipeline::Module kRoute = {
    .key = "route",
    .stage = pipeline::Stage::on_body,
    .always = true,
    .help = "which destinations a webhook goes to",
    .build = build,
};

}  // namespace belay::modules
