#include "modules/handshake/handshake.h"

#include "base/bytes.h"
#include "http/credentials.h"
#include "http/writer.h"
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

// What an expression may name: everything, and of the secrets those that the source has.
rules::Names names_with(const signature::SecretTable& secrets) {
  rules::Names names = rules::Names::signature();
  for (const auto& [name, secret] : secrets) names.secrets.push_back(name);
  if (secrets.empty()) names.variables &= ~(1U << static_cast<int>(rules::Variable::secret));
  return names;
}

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' || c == '.';
}

// The template with a text in place of the token wherever it stands as a whole.
std::string without_token(std::string_view text, std::string_view token) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = at + token.size();
    const bool here = !token.empty() && text.substr(at, token.size()) == token && (at == 0 || !is_name_byte(text[at - 1])) &&
                      (end == text.size() || !is_name_byte(text[end]));
    out += here ? std::string_view("(\"\")") : text.substr(at, 1);
    at = here ? end : at + 1;
  }
  return out;
}

// Whether an answer is made of nothing of the request but its token: what is left without the token must compile although
// it may name nothing of a request.
bool reads_only_token(const rules::Template& body, std::string_view token, rules::Names names) {
  names.payload = false;
  names.variables &= (1U << static_cast<int>(rules::Variable::secret)) | (1U << static_cast<int>(rules::Variable::source)) |
                     (1U << static_cast<int>(rules::Variable::now));
  conf::Problems unsaid;
  return rules::Template::compile(without_token(body.text(), trim_ows(token)), conf::Position{}, names, unsaid) != nullptr;
}

}  // namespace

bool Handshake::Challenge::reads(rules::Variable variable) const {
  return when->reads(variable) || (token && token->reads(variable)) || (body && body->reads(variable));
}

bool needs_scheme(const conf::Node& node) {
  for (const conf::Node& challenge : challenges_of(node)) {
    if (challenge.at("verified").text() != "false") return true;
  }
  return false;
}

bool Handshake::read(const conf::Node& node, conf::Problems& problems, Challenge& out) const {
  const size_t before = problems.all().size();
  const conf::Section section(node, kSettings, problems);
  const rules::Names names = names_with(secrets_);
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
  if (out.token && out.token->reads(rules::Variable::secret))
    section.wrong("token", "a secret must not be echoed", "name the part of the request that the sender wants back");
  if (out.body && !reads_only_token(*out.body, out.token ? out.token->text() : std::string(), names)) {
    section.wrong("respond", "an answer is made of nothing of the request but its token",
                  "write token: FIELD, so that its shape is checked, and the same FIELD in the body");
  }
  return problems.all().size() == before;
}

std::unique_ptr<Handshake> Handshake::build(const conf::Node& node, std::unique_ptr<const signature::Scheme> scheme,
                                            signature::SecretTable secrets, conf::Problems& problems) {
  auto handshake = std::make_unique<Handshake>();
  handshake->secrets_ = std::move(secrets);
  const std::vector<conf::Node> nodes = challenges_of(node);
  if (nodes.empty() || nodes.size() > kMaxChallenges) {
    problems.add(node.position(), "handshake has 1 to 8 challenges");
    return nullptr;
  }
  for (const conf::Node& item : nodes) {
    Challenge challenge;
    if (!handshake->read(item, problems, challenge)) return nullptr;
    handshake->reads_time_ = handshake->reads_time_ || challenge.reads(rules::Variable::ts);
    handshake->challenges_.push_back(std::move(challenge));
  }
  handshake->scheme_ = std::move(scheme);
  return handshake;
}

Verdict Handshake::handle(Exchange& exchange) const {
  if (exchange.body.size() > kMaxBody) return Verdict::next;
  const std::string timestamp = reads_time_ && scheme_ ? scheme_->timestamp_of(exchange.context()) : std::string();
  payload::RequestContext& context = exchange.context();
  const signature::LentSecrets secrets(secrets_, exchange.received);
  Verdict verdict = Verdict::next;
  for (const Challenge& challenge : challenges_) {
    context.lend(timestamp, &secrets);
    const auto applies = challenge.when->test(context);
    if (!applies || !*applies) continue;
    verdict = answer(challenge, timestamp, secrets, exchange);
    break;
  }
  context.lend({}, nullptr);
  return verdict;
}

Verdict Handshake::answer(const Challenge& challenge, std::string_view timestamp, const signature::LentSecrets& secrets,
                          Exchange& exchange) const {
  payload::RequestContext& context = exchange.context();
  if (challenge.verified) {
    if (const std::string_view reason = scheme_->check(exchange.context(), exchange.received); !reason.empty()) {
      refuse_proof(exchange, reason);
      return Verdict::reply;
    }
    exchange.verified = true;
    context.lend(timestamp, &secrets);  // the check has taken them back
  }
  if (challenge.token) {
    const bool signs = challenge.body && challenge.body->reads(rules::Variable::secret);
    const rules::Value token = challenge.token->run(context).plain(context.arena());
    const bool text = !token.is_error() && token.kind() == rules::Kind::string && !token.text().empty();
    if (!text || token.text().size() > (signs ? kMaxSigned : kMaxToken) ||
        !(signs ? http::is_base64_text(token.text()) : http::is_token_text(token.text()))) {
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
  std::unique_ptr<const signature::Scheme> scheme;
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
  return Handshake::build(
      settings, std::move(scheme),
      signature::read_secret_table(context.source->named->node.at("secrets"), context.secrets, context.problems), context.problems);
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
