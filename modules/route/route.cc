#include "modules/route/route.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/log.h"
#include "conf/documented.h"
#include "modules/decode/decode.h"
#include "modules/reply.h"
#include "modules/route/index.h"
#include "modules/route/shaping.h"
#include "pipeline/trace.h"
#include "rules/expression.h"

namespace belay::modules {

namespace {

using pipeline::Exchange;
using pipeline::Verdict;

constexpr conf::Setting kSettings[] = {
    {.key = "when", .type = conf::Type::expression, .help = "condition; absent: always", .example = "order.total > 100"},
    {.key = "transform", .type = conf::Type::node, .help = "what is sent in place of the request as received", .example = "{ edit: { remove: [internal] } }"},
    {.key = "to", .type = conf::Type::node, .required = true, .help = "a destination, or a list of them", .example = "[crm, archive]"},
    {.key = "order", .type = conf::Type::node, .help = "a key whose webhooks are delivered one after another, or { key, on_stuck }", .example = "entityId"},
    {.key = "debounce", .type = conf::Type::node, .help = "only the latest webhook of a key is delivered", .example = "{ key: entityId, quiet: 5s, at_most: 60s }"},
    {.key = "batch", .type = conf::Type::node, .help = "many webhooks in one request", .example = "{ max: 100, wait: 10s, as: array }"},
    {.key = "delay", .type = conf::Type::duration, .range = "100ms..30d", .help = "no delivery before"},
    {.key = "expire", .type = conf::Type::duration, .range = "1s..365d", .help = "no delivery after: it is dead then"},
};
const conf::Documented kSourcesRoutesDocumented("sources.NAME.routes[]", kSettings);

// With a trace, a source of more routes is explained by those that its index finds.
constexpr size_t kMaxTraced = 1000;

struct Route {
  std::unique_ptr<rules::Expression> when;  // null: always
  pipeline::Selected to;
  std::unique_ptr<const Shaping> shaping;   // null: delivered at once
};

class Router final : public pipeline::Handler {
 public:
  Verdict handle(Exchange& exchange) const override;
  void make_index();
  std::vector<Route> routes;

 private:
  struct Unread {
    uint32_t route = UINT32_MAX;  // the first one whose condition could not be evaluated
    std::string why;
  };
  // Takes the route when it holds. False: the webhook is refused.
  bool attempt(uint32_t number, Exchange& exchange, Unread& unread) const;
  bool attempt_all(Exchange& exchange, Unread& unread) const;
  bool look_up(Exchange& exchange, Unread& unread) const;

  std::unique_ptr<const RouteIndex> index_;  // null: every condition is evaluated
};

// False: all of its destinations have been selected before.
bool select(Exchange& exchange, const pipeline::Selected& to, bool several) {
  if (!several) {
    exchange.selected.push_back(to);
    return true;
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
  if (fresh.destinations.empty()) return false;
  exchange.selected.push_back(std::move(fresh));
  return true;
}

void Router::make_index() {
  std::vector<const rules::Expression*> conditions;
  for (const Route& route : routes) conditions.push_back(route.when.get());
  index_ = RouteIndex::make(conditions);
}

bool Router::attempt(uint32_t number, Exchange& exchange, Unread& unread) const {
  const Route& route = routes[number];
  if (route.when) {
    const rules::Value holds = route.when->run(exchange.context());
    if (exchange.trace != nullptr) exchange.trace->condition("route " + std::to_string(number + 1), *route.when, holds);
    if (refuse_unreadable(exchange, holds)) return false;
    if (holds.kind() != rules::Kind::boolean) {
      std::string why = route.when->no_answer(holds).message;
      log::debug("route: a condition of source {} cannot be evaluated: {}", exchange.source->name, printable(why));
      if (number < unread.route) unread = {number, std::move(why)};
      return true;
    }
    if (!holds.is_true()) return true;
  }
  if (exchange.trace != nullptr && !route.when) {
    exchange.trace->no_condition("route " + std::to_string(number + 1), exchange.source->named->node.at("routes").items()[number].position());
  }
  const bool selected = select(exchange, route.to, !exchange.selected.empty());
  return !selected || route.shaping == nullptr || route.shaping->apply(exchange, exchange.selected.back());
}

bool Router::attempt_all(Exchange& exchange, Unread& unread) const {
  for (uint32_t route = 0; route < routes.size(); ++route) {
    if (!attempt(route, exchange, unread)) return false;
  }
  return true;
}

bool Router::look_up(Exchange& exchange, Unread& unread) const {
  static thread_local RouteIndex::Found found;  // keeps its room from request to request
  index_->find(exchange.context(), found);
  if (found.all) return attempt_all(exchange, unread);
  for (const uint32_t route : found.candidates) {
    if (!attempt(route, exchange, unread)) return false;
  }
  if (!exchange.selected.empty()) return true;
  // None of these holds; the first that cannot be evaluated is the reason, as if all had been tried.
  for (const auto& group : found.unread) {
    for (const uint32_t route : group) {
      if (route >= unread.route) break;
      attempt(route, exchange, unread);
    }
  }
  return true;
}

Verdict Router::handle(Exchange& exchange) const {
  Unread unread;
  // Both find the same routes; who asks why wants the value of each condition.
  const bool all = index_ == nullptr || (exchange.trace != nullptr && routes.size() <= kMaxTraced);
  if (exchange.trace != nullptr && !all) exchange.trace->fact("other routes", "do not hold: they compare with another value");
  if (!(all ? attempt_all(exchange, unread) : look_up(exchange, unread))) return Verdict::reply;
  if (!exchange.selected.empty()) {
    exchange.spool_only = exchange.spool_only || exchange.selected.front().stored_first();
    return Verdict::next;
  }
  answer_for_backend(exchange, 200, wire::Outcome::filtered,
                     unread.why.empty() ? "route: unrouted"
                                        : "route: unrouted; a condition cannot be evaluated: " + printable(unread.why));
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
  route.shaping = Shaping::read(section, context.source->name);
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
                         "source '" + context.source->name + "' needs a list of 1 to " + std::to_string(kMaxRoutes) + " routes",
                         "write routes: [ { to: NAME } ]");
    return nullptr;
  }
  auto router = std::make_unique<Router>();
  for (const conf::Node& node : list.items()) read_route(node, context, *router);
  router->make_index();
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
