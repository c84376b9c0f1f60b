#include "modules/auth/auth.h"

#include <algorithm>

#include "base/bytes.h"
#include "conf/documented.h"
#include "http/parser.h"
#include "http/credentials.h"
#include "pipeline/key_wait.h"
#include "signature/digest.h"
#include "signature/jwt.h"
#include "signature/secrets.h"
#include "pipeline/trace.h"

namespace belay::modules {

namespace {

using pipeline::Exchange;

constexpr int kMaxDepth = 4;
constexpr int kRetryAfter = 30;  // seconds, when published keys cannot be fetched

constexpr conf::Setting kSettings[] = {
    {.key = "bearer", .type = conf::Type::secrets, .help = "token behind Authorization: Bearer", .example = "\"${env:ACME_TOKEN}\""},
    {.key = "basic", .type = conf::Type::node, .help = "user name and password of Authorization: Basic", .example = "{ user: acme, password: \"${env:ACME_PASSWORD}\" }"},
    {.key = "header", .type = conf::Type::node, .help = "a secret in a field; several: all of them", .example = "{ X-API-Key: \"${env:ACME_KEY}\" }"},
    {.key = "query", .type = conf::Type::node, .help = "a secret in a query parameter; several: all of them", .example = "{ token: \"${env:ACME_KEY}\" }"},
    {.key = "jwt",
     .type = conf::Type::node,
     .help = "a Bearer token that is signed", .example = "{ secret: \"${env:S}\", algorithms: [HS256], audience: belay }"},
    {.key = "tls", .type = conf::Type::node, .help = "subject of the client's certificate", .example = "{ subject: \"CN=erp,O=Acme\" }"},
    {.key = "any", .type = conf::Type::node, .help = "a list of these, one of which must hold", .example = "[{ bearer: \"${env:A}\" }, { tls: { subject: CN=erp } }]"},
    {.key = "all", .type = conf::Type::node, .help = "a list of these, all of which must hold", .example = "[{ bearer: \"${env:A}\" }, { header: { X-Tenant: acme } }]"},
};
const conf::Documented kSourcesAuthDocumented("sources.NAME.auth", kSettings);
constexpr conf::Setting kBasicSettings[] = {
    {.key = "user", .required = true, .help = "user name", .example = "acme"},
    {.key = "password", .type = conf::Type::secrets, .required = true, .help = "password", .example = "\"${env:ACME_PASSWORD}\""},
};
const conf::Documented kSourcesAuthBasicDocumented("sources.NAME.auth.basic", kBasicSettings);
constexpr conf::Setting kTlsSettings[] = {
    {.key = "subject", .required = true, .help = "the certificate's subject, as RFC 4514 writes it", .example = "CN=erp,O=Acme"},
};
const conf::Documented kSourcesAuthTlsDocumented("sources.NAME.auth.tls", kTlsSettings);

class Check {
 public:
  virtual ~Check() = default;
  // `open`: filled in when the keys that decide it are not to be had (yet).
  virtual bool holds(Exchange& exchange, signature::Finding& open) const = 0;
  virtual std::string_view challenge() const { return "ApiKey"; }  // for WWW-Authenticate (RFC 9110 §11.6.1)
};

// The value behind an auth scheme; nullopt when it is not there exactly once.
std::optional<std::string_view> authorization(const Exchange& exchange, std::string_view scheme) {
  std::string_view value;
  if (http::single_header(exchange.request.fields, "Authorization", value) != http::Presence::once) return std::nullopt;
  return http::credentials(value, scheme);
}

class Bearer final : public Check {
 public:
  explicit Bearer(conf::Secret secret) : secret_(std::move(secret)) {}
  bool holds(Exchange& exchange, signature::Finding&) const override {
    const auto token = authorization(exchange, "Bearer");
    return token && signature::matches_any(secret_, *token, exchange.received);
  }
  std::string_view challenge() const override { return "Bearer"; }

 private:
  conf::Secret secret_;
};

class Basic final : public Check {
 public:
  Basic(std::string user, conf::Secret password) : user_(std::move(user)), password_(std::move(password)) {}
  bool holds(Exchange& exchange, signature::Finding&) const override {
    const auto text = authorization(exchange, "Basic");
    const auto pair = text ? base64_decode(*text) : std::nullopt;
    const size_t colon = pair ? pair->find(':') : std::string::npos;
    if (colon == std::string::npos) return false;
    const std::string_view given(*pair);
    const bool user = signature::same_secret(user_, given.substr(0, colon));
    const bool password = signature::matches_any(password_, given.substr(colon + 1), exchange.received);
    return user && password;
  }
  std::string_view challenge() const override { return "Basic realm=\"belay\", charset=\"UTF-8\""; }

 private:
  std::string user_;
  conf::Secret password_;
};

class Named final : public Check {
 public:
  enum class In : uint8_t { header, query };
  Named(In in, std::string name, conf::Secret secret) : in_(in), name_(std::move(name)), secret_(std::move(secret)) {}
  bool holds(Exchange& exchange, signature::Finding&) const override {
    if (in_ == In::query) {
      std::string value;
      return http::single_query(exchange.request.query, name_, value) == http::Presence::once &&
             signature::matches_any(secret_, value, exchange.received);
    }
    std::string_view value;
    return http::single_header(exchange.request.fields, name_, value) == http::Presence::once &&
           signature::matches_any(secret_, value, exchange.received);
  }

 private:
  In in_;
  std::string name_;
  conf::Secret secret_;
};

class Jwt final : public Check {
 public:
  Jwt(std::unique_ptr<signature::JwtRule> rule, std::unique_ptr<const signature::Keyring> keyring)
      : rule_(std::move(rule)), keyring_(std::move(keyring)) {}
  bool holds(Exchange& exchange, signature::Finding& open) const override {
    const auto token = authorization(exchange, "Bearer");
    if (!token) return false;
    signature::Work work(exchange.context(), *keyring_, exchange.received, exchange.services.keys);
    signature::Finding finding = rule_->check(*token, work);
    if (finding.genuine()) return true;
    // Of several, one whose keys are on their way is waited for.
    if (finding.is > open.is && finding.is != signature::Finding::Is::refused) open = std::move(finding);
    return false;
  }
  std::string_view challenge() const override { return "Bearer"; }

 private:
  std::unique_ptr<signature::JwtRule> rule_;
  std::unique_ptr<const signature::Keyring> keyring_;
};

class Tls final : public Check {
 public:
  explicit Tls(std::string subject) : subject_(std::move(subject)) {}
  bool holds(Exchange& exchange, signature::Finding&) const override {
    return exchange.client.tls && exchange.client.tls_subject == subject_;
  }
  std::string_view challenge() const override { return "Certificate"; }

 private:
  std::string subject_;
};

class Several final : public Check {
 public:
  Several(bool all, std::vector<std::unique_ptr<Check>> checks) : all_(all), checks_(std::move(checks)) {}
  bool holds(Exchange& exchange, signature::Finding& open) const override {
    const auto one = [&](const auto& check) { return check->holds(exchange, open); };
    return all_ ? std::all_of(checks_.begin(), checks_.end(), one) : std::any_of(checks_.begin(), checks_.end(), one);
  }
  std::string_view challenge() const override { return checks_.front()->challenge(); }

 private:
  bool all_;
  std::vector<std::unique_ptr<Check>> checks_;
};

struct Reader {
  pipeline::BuildContext& context;

  std::unique_ptr<Check> read(const conf::Node& node, int depth) const;

 private:
  conf::Problems& problems() const { return context.problems; }
  std::unique_ptr<Check> several(bool all, const conf::Node& list, int depth) const;
  std::unique_ptr<Check> named(Named::In in, const conf::Node& map) const;
  std::unique_ptr<Check> basic(const conf::Node& node) const;
  std::unique_ptr<Check> jwt(const conf::Node& node) const;
};

std::unique_ptr<Check> Reader::read(const conf::Node& node, int depth) const {
  if (!node.is_map() || node.entries().size() != 1 || depth > kMaxDepth) {
    problems().add(node.position(), "auth is exactly one of bearer, basic, header, query, jwt, tls, any, all",
                   "write auth: { bearer: \"${env:NAME}\" }, or any: [ … ] for a choice");
    return nullptr;
  }
  const conf::Section section(node, kSettings, problems(), &context.secrets);
  const conf::Entry& entry = node.entries().front();
  if (entry.key == "bearer") return std::make_unique<Bearer>(section.secrets("bearer"));
  if (entry.key == "basic") return basic(entry.value);
  if (entry.key == "header") return named(Named::In::header, entry.value);
  if (entry.key == "query") return named(Named::In::query, entry.value);
  if (entry.key == "jwt") return jwt(entry.value);
  if (entry.key == "tls")
    return std::make_unique<Tls>(conf::Section(entry.value, kTlsSettings, problems()).text("subject"));
  if (entry.key == "any" || entry.key == "all") return several(entry.key == "all", entry.value, depth);
  return nullptr;
}

std::unique_ptr<Check> Reader::several(bool all, const conf::Node& list, int depth) const {
  std::vector<std::unique_ptr<Check>> checks;
  for (const conf::Node& item : list.items()) {
    if (auto check = read(item, depth + 1)) checks.push_back(std::move(check));
  }
  if (!list.is_list() || list.items().empty())
    problems().add(list.position(), "any and all are lists", "write any: [ { bearer: … }, { header: … } ]");
  if (checks.empty()) return nullptr;
  return std::make_unique<Several>(all, std::move(checks));
}

std::unique_ptr<Check> Reader::named(Named::In in, const conf::Node& map) const {
  std::vector<std::unique_ptr<Check>> checks;
  for (const conf::Entry& entry : map.entries()) {
    if (in == Named::In::header && !http::is_token(entry.key))
      problems().add(entry.key_position, "'" + printable(entry.key) + "' is not a header name");
    checks.push_back(
        std::make_unique<Named>(in, entry.key, conf::read_secret(entry.value, context.secrets, problems())));
  }
  if (checks.empty()) {
    problems().add(map.position(), "a name and a secret are needed", "write { X-API-Key: \"${env:NAME}\" }");
    return nullptr;
  }
  if (checks.size() == 1) return std::move(checks.front());
  return std::make_unique<Several>(true, std::move(checks));
}

std::unique_ptr<Check> Reader::basic(const conf::Node& node) const {
  const conf::Section section(node, kBasicSettings, problems(), &context.secrets);
  if (section.text("user").find(':') != std::string::npos) section.wrong("user", "a user name has no ':' (RFC 7617)");
  return std::make_unique<Basic>(section.text("user"), section.secrets("password"));
}

std::unique_ptr<Check> Reader::jwt(const conf::Node& node) const {
  const conf::Node& secret = node.at("secret");
  const conf::Node& keys = node.at("keys");
  if (secret.present() == keys.present()) {
    problems().add(node.position(), "jwt needs either a secret or keys",
                   "write jwt: { secret: \"${env:NAME}\", algorithms: [HS256] } or jwt: { keys: \"https://…\", algorithms: [RS256] }");
    return nullptr;
  }
  auto keyring = std::make_unique<signature::Keyring>();
  keyring->folder = context.secrets.folder;
  if (secret.present()) keyring->secrets["signing"] = conf::read_secret(secret, context.secrets, problems());
  auto rule = signature::JwtRule::build(node, keys, {}, *keyring, rules::Names::head(), node.position(), problems());
  if (!rule) return nullptr;
  return std::make_unique<Jwt>(std::move(rule), std::move(keyring));
}

class Auth final : public pipeline::Handler {
 public:
  explicit Auth(std::unique_ptr<Check> check) : check_(std::move(check)) {}
  pipeline::Verdict handle(Exchange& exchange) const override {
    return pipeline::decide_with_keys(
        exchange,
        [this](Exchange& asked) {
          signature::Finding open;
          if (check_->holds(asked, open)) return signature::Finding();
          return open.genuine() ? signature::Finding::refused("the credentials are missing or wrong") : open;
        },
        [this](Exchange& decided, const signature::Finding& finding) {
          if (finding.genuine()) return pipeline::Verdict::next;
          if (decided.trace != nullptr && decided.trace->excuses(finding, decided.services.keys != nullptr)) return pipeline::Verdict::next;
          return refuse(decided, finding);
        });
  }

 private:
  pipeline::Verdict refuse(Exchange& exchange, const signature::Finding& finding) const {
    const std::string reason = "auth: " + std::string(finding.reason);
    if (finding.is != signature::Finding::Is::refused) {  // nobody knows whether the token is right: the sender tries again
      exchange.answer(503, wire::Outcome::failed, reason, kRetryAfter);
      return pipeline::Verdict::reply;
    }
    exchange.answer(401, wire::Outcome::rejected, reason);
    exchange.reply.head.append("WWW-Authenticate: ").append(check_->challenge()).append("\r\n");
    return pipeline::Verdict::reply;
  }

  std::unique_ptr<Check> check_;
};

std::unique_ptr<pipeline::Handler> build(const conf::Node& settings, pipeline::BuildContext& context) {
  auto check = Reader{context}.read(settings, 0);
  if (!check) return nullptr;
  context.source->trust = std::max(context.source->trust, pipeline::Trust::token);
  return std::make_unique<Auth>(std::move(check));
}

}  // namespace

const pipeline::Module kAuth = {
    .key = "auth",
    .stage = pipeline::Stage::on_head,
    .help = "credentials in the request",
    .settings = kSettings,
    .build = build,
};

}  // namespace belay::modules
