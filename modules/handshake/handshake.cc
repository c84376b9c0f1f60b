#include "modules/handshake/handshake.h"

#include "http/writer.h"
#include "modules/request.h"
#include "modules/verify/verify.h"

namespace belay::modules {

namespace {

using pipeline::Exchange;
using pipeline::Verdict;

constexpr conf::Setting kSettings[] = {
    {.key = "when", .type = conf::Type::expression, .required = true, .help = "whether the request is this challenge"},
    {.key = "verified",
     .type = conf::Type::boolean,
     .fallback = "true",
     .help = "its signature must be right, else 401"},
    {.key = "token", .type = conf::Type::expression, .help = "what respond.body echoes; must look like a token"},
    {.key = "respond", .type = conf::Type::node, .required = true, .help = "the answer"},
};

constexpr conf::Setting kRespondSettings[] = {
    {.key = "status",
     .type = conf::Type::integer,
     .fallback = "200",
     .range = "200..299",
     .help = "status of the answer"},
    {.key = "type", .fallback = "text/plain", .help = "its content type"},
    {.key = "body", .help = "template of its body"},
};

std::vector<conf::Node> challenges_of(const conf::Node& node) {
  return node.is_list() ? node.items() : std::vector<conf::Node>{node};
}

}  // namespace

bool needs_scheme(const conf::Node& node) {
  for (const conf::Node& challenge : challenges_of(node)) {
    if (challenge.at("verified").text() != "false") return true;
  }
  return false;
}

bool Handshake::read(const conf::Node& node, conf::Problems& problems, Challenge& out) {
  const size_t before = problems.all().size();
  const conf::Section section(node, kSettings, problems);
  const rules::Names names = rules::Names::signature();
  if (section.has("when"))
    out.when = rules::Expression::compile(section.node("when"), names, problems, rules::Want::boolean);
  if (section.has("token")) out.token = rules::Expression::compile(section.node("token"), names, problems);
  out.verified = section.boolean("verified");
  if (!section.has("respond")) return false;
  const conf::Section respond(section.node("respond"), kRespondSettings, problems);
  out.status = static_cast<int>(respond.integer("status"));
  if (!http::is_field_value(respond.text("type")))
    respond.wrong("type", "this cannot be sent as a content type", "write type: text/plain");
  http::append_field(out.head, "Content-Type", respond.text("type"));
  http::append_field(out.head, "X-Content-Type-Options", "nosniff");
  if (respond.has("body")) out.body = rules::Template::compile(respond.node("body"), names, problems);
  if (out.body && !out.body->is_constant() && !out.token) {
    section.wrong("respond", "an answer made of the request needs a token",
                  "write token: FIELD, so that its shape is checked");
  }
  return problems.all().size() == before;
}

std::unique_ptr<Handshake> Handshake::build(const conf::Node& node, std::unique_ptr<const Scheme> scheme,
                                            conf::Problems& problems) {
  auto handshake = std::make_unique<Handshake>();
  const std::vector<conf::Node> nodes = challenges_of(node);
  if (nodes.empty() || nodes.size() > kMaxChallenges) {
    problems.add(node.position(), "handshake has 1 to 8 challenges");
    return nullptr;
  }
  for (const conf::Node& item : nodes) {
    Challenge challenge;
    if (!read(item, problems, challenge)) return nullptr;
    handshake->challenges_.push_back(std::move(challenge));
  }
  handshake->scheme_ = std::move(scheme);
  return handshake;
}

Verdict Handshake::handle(Exchange& exchange) const {
  if (exchange.body.size() > kMaxBody) return Verdict::next;
  for (const Challenge& challenge : challenges_) {
    const auto applies = challenge.when->test(RequestContext::of(exchange));
    if (applies && *applies) return answer(challenge, exchange);
  }
  return Verdict::next;
}

Verdict Handshake::answer(const Challenge& challenge, Exchange& exchange) const {
  if (challenge.verified) {
    if (const std::string_view reason = scheme_->check(exchange, exchange.received); !reason.empty()) {
      refuse_proof(exchange, reason);
      return Verdict::reply;
    }
    exchange.verified = true;
  }
  RequestContext& context = RequestContext::of(exchange);
  if (challenge.token) {
    const rules::Value token = challenge.token->run(context).plain(context.arena());
    const bool text = !token.is_error() && token.kind() == rules::Kind::string;
    if (!text || token.text().empty() || token.text().size() > kMaxToken || !is_token_text(token.text())) {
      exchange.answer(400, wire::Outcome::rejected, "handshake: the challenge does not look like a token");
      return Verdict::reply;
    }
  }
  std::string body;
  if (challenge.body && !challenge.body->append(context, body).ok()) {
    exchange.answer(400, wire::Outcome::rejected, "handshake: the challenge lacks something");
    return Verdict::reply;
  }
  exchange.outcome = wire::Outcome::filtered;
  exchange.reason = "handshake: answered";
  exchange.reply.status = challenge.status;
  exchange.reply.head = challenge.head;
  exchange.reply.body = std::move(body);
  return Verdict::reply;
}

namespace {

std::unique_ptr<pipeline::Handler> build_module(const conf::Node& settings, pipeline::BuildContext& context) {
  std::unique_ptr<const Scheme> scheme;
  if (needs_scheme(settings)) {
    const conf::Node& verify = context.source->settings_of("verify");
    if (!verify.present()) {
      context.problems.add(settings.position(), "this handshake must be verified, but there is no verify",
                           "add verify or a preset, or write verified: false");
      return nullptr;
    }
    scheme = build_scheme_of(verify, context);
    if (!scheme) return nullptr;
  }
  return Handshake::build(settings, std::move(scheme), context.problems);
}

}  // namespace

const pipeline::Module kHandshake = {
    .key = "handshake",
    .stage = pipeline::Stage::on_body,
    .help = "answers the sender's challenges",
    .settings = kSettings,
    .build = build_module,
};

}  // namespace belay::modules
