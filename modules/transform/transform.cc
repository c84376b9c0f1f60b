#include "modules/transform/transform.h"

#include "conf/documented.h"
#include "modules/decode/decode.h"
#include "modules/reply.h"
#include "modules/transform/head.h"
#include "modules/transform/payload.h"
#include "pipeline/trace.h"
#include "wire/frame.h"

namespace belay::modules {

namespace {

using pipeline::Exchange;
using pipeline::Verdict;

constexpr conf::Setting kSettings[] = {
    {.key = "body", .type = conf::Type::node, .help = "the new payload: a tree of templates", .example = "{ id: \"{{ order.id }}\", lines: \"{{ lines }}\" }"},
    {.key = "edit", .type = conf::Type::node, .help = "changes to a JSON payload, every other byte stays", .example = "{ remove: [internal] }"},
    {.key = "text", .type = conf::Type::text, .help = "the new payload: a template; its holes are escaped by `as`", .example = "'<Order id=\"{{ order.id }}\"/>'"},
    {.key = "as", .type = conf::Type::text, .range = "json|form|xml|text", .help = "how body or text is written; default json for body, text for text"},
    {.key = "missing", .type = conf::Type::node, .fallback = "error", .help = "absent paths in templates: the webhook is refused, the value is null, or left out", .example = "omit"},
    {.key = "headers", .type = conf::Type::node, .help = "fields that are replaced, added or left out", .example = "{ set: { X-Event: \"{{ $event.type }}\" }, remove: [X-Secret] }"},
    {.key = "query", .type = conf::Type::node, .help = "parameters that are replaced, added or left out", .example = "{ set: { v: \"2\" }, remove: [token] }"},
    {.key = "method", .type = conf::Type::text, .help = "in place of the sender's", .example = "PUT"},
    {.key = "path", .type = conf::Type::text, .help = "template of the path at the destination, in place of its url's", .example = "/legacy/{{ entityType }}"},
};
const conf::Documented kSourcesRoutesTransformDocumented("sources.NAME.routes[].transform", kSettings);

// The transform of one route.
class Transform {
 public:
  static std::unique_ptr<const Transform> read(const conf::Node& node, conf::Problems& problems) {
    if (!node.is_map() || node.entries().empty()) {
      problems.add(node.position(), "a transform is a mapping that says what changes", "write transform: { body: { id: \"{{ order.id }}\" } }");
      return nullptr;
    }
    const size_t before = problems.all().size();
    const conf::Section section(node, kSettings, problems);
    const Missing missing = read_missing(section);
    auto made = std::make_unique<Transform>();
    made->payload_ = NewPayload::read(section, missing);
    made->head_ = NewHead::read(section, missing);
    return problems.all().size() == before ? std::move(made) : nullptr;
  }

  // In YAML null is a word and no value: both ways of writing it mean the same here.
  static Missing read_missing(const conf::Section& section) {
    const conf::Node& node = section.node("missing");
    const std::string word = node.kind() == conf::Kind::null ? "null" : node.text();
    if (word == "null") return Missing::null;
    if (word == "omit") return Missing::omit;
    if (node.present() && word != "error") section.wrong("missing", "missing must be error, null or omit", "absent paths in templates: refuse the webhook, write null, or leave the value out");
    return Missing::error;
  }

  Result<std::shared_ptr<const wire::StoredRequest>> apply(Exchange& exchange) const {
    rules::Context& context = exchange.context();
    const http::RequestHead& from = exchange.request;
    auto made = std::make_shared<wire::StoredRequest>();
    made->method = head_->method().empty() ? from.method : head_->method();
    HeadChange change{.new_body = payload_ != nullptr, .no_body = head_->drops_body(), .vouched = exchange.client.vouched, .content_type = {}};
    if (payload_ != nullptr) {
      if (auto done = payload_->append(context, made->body); !done) return done.error();
      const std::string_view* type = from.fields.find("content-type");
      change.content_type = payload_->content_type(type == nullptr ? std::string_view() : *type);
    } else {
      made->received_body = !change.no_body;
    }
    // A body of no bytes is framed as one (Content-Length: 0), except where none was and none came of it.
    made->has_body = !change.no_body && (from.framing != http::Framing::none || !made->body.empty());
    if (auto done = head_->fields(context, from.fields, change, made->fields); !done) return done.error();
    auto target = head_->target(context, from);
    if (!target) return target.error();
    made->target = std::move(target).value();
    auto path = head_->path(context);
    if (!path) return path.error();
    made->path = std::move(path).value();
    made->path_rest = exchange.path_rest;
    return std::shared_ptr<const wire::StoredRequest>(std::move(made));
  }

 private:
  std::unique_ptr<NewPayload> payload_;  // null: the body stays
  std::unique_ptr<NewHead> head_;
};

// Of all routes together with the body as received: what one frame to the spool can carry, with its heads.
constexpr size_t kMaxMade = wire::kMaxPayload - (size_t{4} << 20);

class Transforms final : public pipeline::Handler {
 public:
  Verdict handle(Exchange& exchange) const override;
  std::vector<std::unique_ptr<const Transform>> by_route;  // null: as received
  bool spool_first = false;

 private:
  // The sender hears about the route whose backend would answer it; every other is stored as dead.
  void fail(Exchange& exchange, pipeline::Selected& selected, const std::string& why) const {
    selected.request.reset();
    selected.failure = "transform: route " + std::to_string(selected.route + 1) + ": " + why;
    if (spool_first || exchange.spool_only || &selected != &exchange.selected.front()) return;
    exchange.answer(422, wire::Outcome::rejected, selected.failure, -1, "transform: route " + std::to_string(selected.route + 1) + " cannot be applied to this webhook");
  }
};

Verdict Transforms::handle(Exchange& exchange) const {
  size_t bytes = 0;
  for (pipeline::Selected& selected : exchange.selected) {
    const Transform* transform = by_route[selected.route].get();
    if (transform == nullptr) continue;
    auto made = transform->apply(exchange);
    if (exchange.trace != nullptr) exchange.trace->fact("route " + std::to_string(selected.route + 1), made ? "made" : "failed: " + made.error().message);
    if (!made) {
      if (refuse_unreadable(exchange, exchange.context().root())) return Verdict::reply;
      fail(exchange, selected, made.error().message);
      if (exchange.reply.status != 0) return Verdict::reply;
      continue;
    }
    selected.request = std::move(made).value();
    bytes += selected.request->body.capacity();
    for (const auto& [name, value] : selected.request->fields) bytes += name.size() + value.size();
    if (exchange.body.size() + bytes > kMaxMade) {
      fail(exchange, selected, "what the routes make of this webhook is larger than " + std::to_string(kMaxMade >> 20) + " MB together");
      if (exchange.reply.status != 0) return Verdict::reply;
      continue;
    }
    if (exchange.made_memory.hold(bytes)) continue;
    exchange.answer(503, wire::Outcome::failed, "transform: limits.memory is reached", kRetryAfterSeconds);
    return Verdict::reply;
  }
  return Verdict::next;
}

std::unique_ptr<pipeline::Handler> build(const conf::Node& settings, pipeline::BuildContext& context) {
  if (settings.present()) {
    context.problems.add(settings.position(), "transform belongs to a route", "write routes: [ { transform: …, to: NAME } ]");
    return nullptr;
  }
  auto made = std::make_unique<Transforms>();
  made->spool_first = context.source->named->node.at("mode").text() == "spool";
  bool any = false;
  for (const conf::Node& route : context.source->named->node.at("routes").items()) {
    const conf::Node& node = route.at("transform");
    made->by_route.push_back(node.present() ? Transform::read(node, context.problems) : nullptr);
    any = any || node.present();
  }
  return any ? std::move(made) : nullptr;
}

}  // namespace

const pipeline::Module kTransform = {
    .key = "transform",
    .stage = pipeline::Stage::on_body,
    .always = true,
    .help = "what a route makes of the request before it is sent",
    .build = build,
};

}  // namespace belay::modules
