#include "modules/handshake/handshake.h"

#include <algorithm>

#include "base/bytes.h"
#include "conf/documented.h"
#include "http/credentials.h"
#include "http/parser.h"
#include "http/writer.h"
#include "modules/verify/verify.h"
#include "pipeline/key_wait.h"

namespace belay::modules {

namespace {

using pipeline::Exchange;
using pipeline::Verdict;

constexpr conf::Setting kSettings[] = {
    {.key = "when", .type = conf::Type::expression, .required = true, .help = "whether the request is this challenge", .example = "type == \"url_verification\""},
    {.key = "verified",
     .type = conf::Type::boolean,
     .fallback = "true",
     .help = "its signature must be right, else 401"},
    {.key = "token", .type = conf::Type::expression, .help = "what the answer echoes; must look like a token", .example = "challenge"},
    {.key = "shape",
     .fallback = "token",
     .range = "token|text",
     .help = "text: the token may have blanks and any printable ASCII; never with a secret in the answer"},
    {.key = "quiet", .type = conf::Type::boolean, .fallback = "false", .help = "a refusal has no body"},
    {.key = "respond", .type = conf::Type::node, .required = true, .help = "the answer", .example = "{ body: \"{{ challenge }}\" }"},
};
const conf::Documented kSourcesHandshakeDocumented("sources.NAME.handshake", kSettings);

constexpr conf::Setting kRespondSettings[] = {
    {.key = "status",
     .type = conf::Type::integer,
     .fallback = "200",
     .range = "200..299",
     .help = "status of the answer"},
    {.key = "type", .fallback = "text/plain", .help = "its content type"},
    {.key = "body", .help = "template of its body", .example = "\"{{ challenge }}\""},
    {.key = "headers", .type = conf::Type::node, .help = "its fields; the values are templates", .example = "{ X-Hook-Secret: \"{{ $headers['X-Hook-Secret'] }}\" }"},
};
const conf::Documented kSourcesHandshakeRespondDocumented("sources.NAME.handshake.respond", kRespondSettings);

std::vector<conf::Node> challenges_of(const conf::Node& node) {
  return node.is_list() ? node.items() : std::vector<conf::Node>{node};
}

// What an expression may name: everything, and of the secrets those that the source has.
rules::Names names_with(const signature::Keyring& keyring) {
  rules::Names names = signature::scheme_names(keyring.params);
  const signature::SecretTable& secrets = keyring.secrets;
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
                     (1U << static_cast<int>(rules::Variable::now)) | (1U << static_cast<int>(rules::Variable::param));
  conf::Problems unsaid;
  return rules::Template::compile(without_token(body.text(), trim_ows(token)), conf::Position{}, names, unsaid) != nullptr;
}

}  // namespace

bool Handshake::Challenge::reads(rules::Variable variable) const {
  return when->reads(variable) || (token && token->reads(variable)) || answer_reads(variable);
}

bool Handshake::Challenge::answer_reads(rules::Variable variable) const {
  return (body && body->reads(variable)) || std::any_of(headers.begin(), headers.end(), [variable](const auto& header) {
           return header.second->reads(variable);
         });
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
  const rules::Names names = names_with(keyring_);
  if (section.has("when"))
    out.when = rules::Expression::compile(section.node("when"), names, problems, rules::Want::boolean);
  if (section.has("token")) out.token = rules::Expression::compile(section.node("token"), names, problems);
  out.verified = section.boolean("verified");
  out.free_text = section.text("shape") == "text";
  out.quiet = section.boolean("quiet");
  if (out.token && out.token->reads(rules::Variable::secret))
    section.wrong("token", "a secret must not be echoed", "name the part of the request that the sender wants back");
  if (section.has("respond")) read_respond(section.node("respond"), names, problems, out);
  if (out.free_text && out.signs()) section.wrong("shape", "what a secret has a part in must look like a token", "remove shape");
  return problems.all().size() == before;
}

bool Handshake::read_respond(const conf::Node& node, const rules::Names& names, conf::Problems& problems,
                             Challenge& out) const {
  const size_t before = problems.all().size();
  const conf::Section respond(node, kRespondSettings, problems);
  out.status = static_cast<int>(respond.integer("status"));
  if (!http::is_field_value(respond.text("type")))
    respond.wrong("type", "this cannot be sent as a content type", "write type: text/plain");
  http::append_field(out.head, "Content-Type", respond.text("type"));
  http::append_field(out.head, "X-Content-Type-Options", "nosniff");
  if (respond.has("body")) out.body = rules::Template::compile(respond.node("body"), names, problems);
  for (const conf::Entry& entry : respond.node("headers").entries()) {
    if (!http::is_token(entry.key)) problems.add(entry.key_position, "'" + printable(entry.key) + "' is not a header name");
    if (auto made = rules::Template::compile(entry.value, names, problems)) out.headers.emplace_back(entry.key, std::move(made));
  }
  if (problems.all().size() != before) return false;
  const std::string token = out.token ? out.token->text() : std::string();
  bool only_token = !out.body || reads_only_token(*out.body, token, names);
  for (const auto& [name, value] : out.headers) only_token = only_token && reads_only_token(*value, token, names);
  if (!only_token) {
    respond.wrong("body", "an answer is made of nothing of the request but its token",
                  "write token: FIELD, so that its shape is checked, and the same FIELD in the body");
  }
  return only_token;
}

std::unique_ptr<Handshake> Handshake::build(const conf::Node& node, std::unique_ptr<const signature::Scheme> scheme,
                                            signature::Keyring keyring, conf::Problems& problems) {
  auto handshake = std::make_unique<Handshake>();
  handshake->keyring_ = std::move(keyring);
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
  const std::string timestamp = timestamp_of(exchange);
  signature::Work work(exchange.context(), keyring_, exchange.received, exchange.services.keys);
  work.lent.timestamp = timestamp;
  for (const Challenge& challenge : challenges_) {
    bool applies = false;
    {
      const signature::Loan loan(work);
      const auto holds = challenge.when->test(work.context);
      applies = holds && *holds;
    }
    if (!applies) continue;
    if (!challenge.verified) return answer(challenge, exchange);
    return pipeline::decide_with_keys(
        exchange, [this](Exchange& asked) { return scheme_->check(asked.context(), asked.received, asked.services.keys); },
        [this, &challenge](Exchange& decided, const signature::Finding& finding) { return conclude(challenge, decided, finding); });
  }
  return Verdict::next;
}

std::string Handshake::timestamp_of(Exchange& exchange) const {
  return reads_time_ && scheme_ ? scheme_->timestamp_of(exchange.context()) : std::string();
}

Verdict Handshake::conclude(const Challenge& challenge, Exchange& exchange, const signature::Finding& finding) const {
  if (!finding.genuine()) {
    refuse_proof(exchange, finding);
    if (challenge.quiet) exchange.reply.body.clear();
    return Verdict::reply;
  }
  exchange.verified = true;
  return answer(challenge, exchange);
}

Verdict Handshake::answer(const Challenge& challenge, Exchange& exchange) const {
  const std::string timestamp = timestamp_of(exchange);
  signature::Work work(exchange.context(), keyring_, exchange.received, exchange.services.keys);
  work.lent.timestamp = timestamp;
  if (challenge.token && !fits(challenge, work)) {
    exchange.answer(400, wire::Outcome::rejected, "handshake: the challenge does not look like a token");
    return Verdict::reply;
  }
  exchange.reply.head.clear();
  exchange.reply.body.clear();
  if (!respond(challenge, work, exchange.reply)) {
    exchange.answer(400, wire::Outcome::rejected, "handshake: the challenge lacks something");
    return Verdict::reply;
  }
  exchange.outcome = wire::Outcome::filtered;
  exchange.reason = "handshake: answered";
  return Verdict::reply;
}

bool Handshake::fits(const Challenge& challenge, signature::Work& work) {
  const signature::Loan loan(work);
  const rules::Value token = challenge.token->run(work.context).plain(work.context.arena());
  if (token.is_error() || token.kind() != rules::Kind::string || token.text().empty()) return false;
  if (challenge.signs()) return token.text().size() <= kMaxSigned && http::is_base64_text(token.text());
  if (!challenge.free_text) return token.text().size() <= kMaxToken && http::is_token_text(token.text());
  return token.text().size() <= kMaxFreeText &&
         std::all_of(token.text().begin(), token.text().end(), [](char c) { return c >= ' ' && c <= '~'; });
}

// False when a part of the answer cannot be made.
bool Handshake::respond(const Challenge& challenge, signature::Work& work, pipeline::Reply& reply) {
  const signature::Loan loan(work);
  reply.status = challenge.status;
  reply.head = challenge.head;
  for (const auto& [name, value] : challenge.headers) {
    const auto text = value->render(work.context);
    if (!text || !http::is_field_value(*text)) return false;
    http::append_field(reply.head, name, *text);
  }
  return !challenge.body || challenge.body->append(work.context, reply.body).ok();
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
  return Handshake::build(settings, std::move(scheme), keyring_of(context), context.problems);
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
