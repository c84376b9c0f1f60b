#include "modules/route/shaping.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/log.h"
#include "base/sha256.h"
#include "conf/documented.h"
#include "modules/decode/decode.h"
#include "pipeline/trace.h"

namespace belay::modules {

namespace {

constexpr conf::Setting kOrder[] = {
    {.key = "key", .type = conf::Type::expression, .required = true, .help = "webhooks of the same key are delivered one after another"},
    {.key = "on_stuck", .type = conf::Type::text, .fallback = "wait", .range = "wait|skip", .help = "whether a dead one keeps the key's later ones waiting"},
};
constexpr conf::Setting kDebounce[] = {
    {.key = "key", .type = conf::Type::expression, .required = true, .help = "of the same key only the latest is delivered"},
    {.key = "quiet", .type = conf::Type::duration, .fallback = "5s", .range = "100ms..1h", .help = "how long no newer one may come"},
    {.key = "at_most", .type = conf::Type::duration, .fallback = "60s", .range = "100ms..24h", .help = "how long a key waits in all"},
};
constexpr conf::Setting kBatch[] = {
    {.key = "max", .type = conf::Type::integer, .fallback = "100", .range = "1..10000", .help = "webhooks in one request"},
    {.key = "bytes", .type = conf::Type::size, .fallback = "1MB", .range = "1KB..16MB", .help = "of their bodies; one alone may be larger"},
    {.key = "wait", .type = conf::Type::duration, .fallback = "10s", .range = "100ms..1h", .help = "how long the first one waits for others"},
    {.key = "as", .type = conf::Type::text, .fallback = "array", .range = "array|ndjson", .help = "one JSON array, or one JSON text a line"},
    {.key = "per", .type = conf::Type::expression, .help = "only webhooks of the same key share a request; absent: all"},
};
const conf::Documented kOrderDocumented("sources.NAME.routes[].order", kOrder);
const conf::Documented kDebounceDocumented("sources.NAME.routes[].debounce", kDebounce);
const conf::Documented kBatchDocumented("sources.NAME.routes[].batch", kBatch);

wire::GroupKey group_key(std::string_view scope, std::string_view value) {
  constexpr std::string_view kZero("\0", 1);
  const Sha256 hash = sha256({scope, kZero, value});
  wire::GroupKey key;
  std::copy_n(hash.begin(), key.size(), key.begin());
  return key;
}

}  // namespace

bool Shaping::read_order(const conf::Section& route) {
  grouping_.kind = wire::GroupKind::order_wait;
  const conf::Node& node = route.node("order");
  if (node.is_scalar()) {
    key_ = rules::Expression::compile(node, rules::Names::request(), route.problems());
    return key_ != nullptr;
  }
  if (!node.is_map()) {
    route.wrong("order", "order is an expression or a mapping", "write order: entityId");
    return false;
  }
  const conf::Section section(node, kOrder, route.problems());
  if (section.text("on_stuck") == "skip") grouping_.kind = wire::GroupKind::order_skip;
  if (section.has("key")) key_ = rules::Expression::compile(section.node("key"), rules::Names::request(), route.problems());
  return key_ != nullptr;
}

bool Shaping::read_debounce(const conf::Section& route) {
  grouping_.kind = wire::GroupKind::debounce;
  const conf::Node& node = route.node("debounce");
  if (!node.is_map()) {
    route.wrong("debounce", "debounce must be a mapping", "write debounce: { key: entityId, quiet: 5s, at_most: 60s }");
    return false;
  }
  const conf::Section section(node, kDebounce, route.problems());
  grouping_.wait_ms = section.duration("quiet").count();
  grouping_.at_most_ms = section.duration("at_most").count();
  if (grouping_.at_most_ms < grouping_.wait_ms) {
    section.wrong("at_most", "at_most is shorter than quiet: no key would ever be quiet", "write a longer at_most or a shorter quiet");
    return false;
  }
  if (section.has("key")) key_ = rules::Expression::compile(section.node("key"), rules::Names::request(), route.problems());
  return key_ != nullptr;
}

bool Shaping::read_batch(const conf::Section& route) {
  const conf::Node& node = route.node("batch");
  if (!node.is_map()) {
    route.wrong("batch", "batch must be a mapping", "write batch: { max: 100, wait: 10s, as: array }");
    return false;
  }
  const conf::Section section(node, kBatch, route.problems());
  grouping_.kind = section.text("as") == "ndjson" ? wire::GroupKind::batch_lines : wire::GroupKind::batch_array;
  grouping_.max = static_cast<uint32_t>(section.integer("max"));
  grouping_.bytes = static_cast<uint32_t>(section.size("bytes"));
  grouping_.wait_ms = section.duration("wait").count();
  const conf::Node& transform = route.node("transform");
  const std::string as = transform.at("as").text();
  received_body_ = !transform.at("body").present() && !transform.at("edit").present() && !transform.at("text").present();
  if ((!as.empty() && as != "json") || (as.empty() && transform.at("text").present())) {
    route.wrong("batch", "a batch is made of JSON, and this route's transform writes something else", "write as: json in the transform, or remove batch");
    return false;
  }
  if (!section.has("per")) return true;
  key_ = rules::Expression::compile(section.node("per"), rules::Names::request(), route.problems());
  return key_ != nullptr;
}

// What waits must not be too old before it is sent for the first time.
bool Shaping::check_times(const conf::Section& route) const {
  const Duration waits = std::max(delay_, Duration(word_ == "debounce" ? grouping_.at_most_ms : grouping_.wait_ms));
  if (expire_ == Duration(0) || expire_ > waits) return true;
  route.wrong("expire", "expire is not longer than this route's webhooks wait before they are sent", "write a longer expire");
  return false;
}

std::unique_ptr<const Shaping> Shaping::read(const conf::Section& route, const std::string& source) {
  const size_t before = route.problems().all().size();
  const std::string_view words[] = {"order", "debounce", "batch"};
  const auto used = std::count_if(std::begin(words), std::end(words), [&](std::string_view word) { return route.has(word); });
  const bool times = route.has("delay") || route.has("expire");
  if (used == 0 && !times) return nullptr;
  auto shaping = std::make_unique<Shaping>();
  shaping->source_ = source;
  shaping->delay_ = route.duration("delay");
  shaping->expire_ = route.duration("expire");
  if (used > 1) {
    route.wrong(route.has("batch") ? "batch" : "debounce", "a route has one of order, debounce and batch", "remove the others, or write two routes");
    return nullptr;
  }
  if (used == 1) {
    const auto word = std::find_if(std::begin(words), std::end(words), [&](std::string_view one) { return route.has(one); });
    shaping->word_ = *word;
    const bool good = *word == "order" ? shaping->read_order(route) : *word == "debounce" ? shaping->read_debounce(route) : shaping->read_batch(route);
    if (!good) return nullptr;
    if (*word != "order" && route.has("delay")) {
      route.wrong("delay", "delay beside " + shaping->word_ + ", which waits by itself", "remove delay");
      return nullptr;
    }
    // Not the route's number: with a route written before it in the file, a key would be another one's.
    constexpr char kZero = '\0';
    shaping->scope_ = source + kZero + shaping->word_;
    if (*word != "order") {
      shaping->scope_ += kZero + route.node("when").text() + kZero + (shaping->key_ == nullptr ? "" : shaping->key_->text()) + kZero +
                         std::to_string(static_cast<int>(shaping->grouping_.kind));
    }
  }
  if (!shaping->check_times(route) || route.problems().all().size() != before) return nullptr;
  return shaping;
}

// Bodies that stand in a batch as they are must be JSON as they are.
bool Shaping::fits_batch(pipeline::Exchange& exchange, pipeline::Selected& to) const {
  const rules::Value root = exchange.context().root();
  if (refuse_unreadable(exchange, root)) return false;
  const bool as_received = root.is_json() && root.document().text().data() == exchange.body.data() &&
                           root.document().text().size() == exchange.body.size();
  if (!as_received) to.failure = "batch: route " + std::to_string(to.route + 1) + ": the body is not JSON in UTF-8 as it was sent";
  return true;
}

bool Shaping::apply(pipeline::Exchange& exchange, pipeline::Selected& to) const {
  to.delay = delay_;
  to.expire = expire_;
  if (grouping_.kind == wire::GroupKind::none) return true;
  std::string value, why;
  if (key_ != nullptr) {
    const rules::Value found = key_->run(exchange.context());
    if (refuse_unreadable(exchange, found)) return false;
    auto text = found.is_error() ? Result<std::string>(key_->explain(found.failure())) : found.to_text();
    if (found.is_error() || !text) {
      why = printable(text ? *text : text.error().message);
      log::debug("{}: a key of source {} cannot be evaluated: {}", word_, source_, why);
    } else {
      value = std::move(*text);
    }
  }
  const bool alone = value.empty() && key_ != nullptr && !wire::is_batch(grouping_.kind);
  if (exchange.trace != nullptr) {
    const std::string key = value.empty() ? "no key" : "key " + value;
    exchange.trace->fact(word_, "route " + std::to_string(to.route + 1) + ": " + key + (alone ? ", waits for no other" : "") +
                                    (why.empty() ? "" : ": " + why));
  }
  if (alone) return true;
  if (wire::is_batch(grouping_.kind) && received_body_ && !fits_batch(exchange, to)) return false;
  to.grouping = grouping_;
  to.grouping.key = group_key(scope_, value);
  return true;
}

}  // namespace belay::modules
