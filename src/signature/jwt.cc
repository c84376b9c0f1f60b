#include "signature/jwt.h"

#include <algorithm>

#include "base/bytes.h"
#include "conf/documented.h"

namespace belay::signature {

namespace {

constexpr conf::Setting kSettings[] = {
    {.key = "algorithms",
     .type = conf::Type::node,
     .required = true,
     .help = "HS256, HS384, HS512; or RS256, RS384, RS512, PS256, PS512, ES256, EdDSA", .example = "[RS256, ES256]"},
    {.key = "issuer", .type = conf::Type::node, .help = "accepted iss claims", .example = "\"https://login.example.com\""},
    {.key = "audience", .type = conf::Type::node, .help = "accepted aud claims", .example = "belay"},
    {.key = "claims", .type = conf::Type::node, .help = "NAME: template, or a list of which any may match; null: it must be absent", .example = "{ tenant: acme }"},
    {.key = "require", .type = conf::Type::node, .help = "claims that must be there; default exp", .example = "[exp, iat]"},
    {.key = "leeway",
     .type = conf::Type::duration,
     .fallback = "30s",
     .range = "0s..10m",
     .help = "how far clocks may differ"},
    {.key = "max_age", .type = conf::Type::duration, .range = "1s..7d", .help = "how long after iat a token is taken", .example = "5m"},
    {.key = "max_life", .type = conf::Type::duration, .range = "1s..7d", .help = "how far ahead exp may be", .example = "1h"},
    // Read by auth, where the keys stand beside the rules; a scheme has them in `key` and `keys`.
    {.key = "secret", .type = conf::Type::node, .help = "the key (auth only)", .example = "\"${env:ACME_SECRET}\""},
    {.key = "keys", .type = conf::Type::node, .help = "where the keys are published (auth only)", .example = "\"https://login.example.com/jwks.json\""},
};
const conf::Documented kSourcesAuthJwtDocumented("sources.NAME.auth.jwt", kSettings);
const conf::Documented kSourcesVerifyJwtDocumented("sources.NAME.verify.jwt", kSettings);

struct Known {
  std::string_view name;
  std::optional<Digest> shared;
  PublicAlgorithm public_one = PublicAlgorithm::ed25519;
};
constexpr Known kAlgorithms[] = {
    {"HS256", Digest::sha256},
    {"HS384", Digest::sha384},
    {"HS512", Digest::sha512},
    {"RS256", std::nullopt, PublicAlgorithm::rsa_pkcs1_sha256},
    {"RS384", std::nullopt, PublicAlgorithm::rsa_pkcs1_sha384},
    {"RS512", std::nullopt, PublicAlgorithm::rsa_pkcs1_sha512},
    {"PS256", std::nullopt, PublicAlgorithm::rsa_pss_sha256},
    {"PS512", std::nullopt, PublicAlgorithm::rsa_pss_sha512},
    {"ES256", std::nullopt, PublicAlgorithm::ecdsa_p256_sha256},
    {"EdDSA", std::nullopt, PublicAlgorithm::ed25519},
};

// A part of a token as the JSON object it must be.
std::unique_ptr<const json::Document> object_of(std::string_view part) {
  auto text = base64url_decode(part);
  if (!text) return nullptr;
  auto document = json::Document::parse_owned(std::move(*text));
  if (!document || (*document)->type((*document)->root()) != json::Type::object) return nullptr;
  return std::move(*document);
}

std::string text_of(const json::Document& document, std::string_view name) {
  const json::Ref value = document.find(document.root(), name);
  std::string scratch;
  if (value == json::kNone || document.type(value) != json::Type::string) return {};
  return std::string(document.string(value, scratch));
}

bool is_value(const json::Document& document, json::Ref value, std::string_view accepted) {
  std::string scratch;
  switch (document.type(value)) {
    case json::Type::string: return constant_time_equals(document.string(value, scratch), accepted);
    case json::Type::number:
    case json::Type::boolean: return document.raw(value) == accepted;
    case json::Type::array:  // aud is a text or a list of texts (RFC 7519 §4.1.3)
      for (json::Ref item = document.first(value); item != json::kNone; item = document.next(value, item)) {
        if (document.type(item) == json::Type::string && document.string(item, scratch) == accepted) return true;
      }
      return false;
    default: return false;
  }
}

// A NumericDate in milliseconds; false when the claim is there and is not one.
bool read_date(const json::Document& document, std::string_view claim, std::optional<double>& ms) {
  const json::Ref value = document.find(document.root(), claim);
  if (value == json::kNone) return true;
  if (document.type(value) != json::Type::number) return false;
  const auto seconds = conf::parse_number(document.raw(value));
  if (!seconds) return false;
  ms = *seconds * 1000;
  return true;
}

}  // namespace

std::unique_ptr<JwtRule> JwtRule::build(const conf::Node& node, const conf::Node& keys, const KeyRule& key,
                                        const Keyring& keyring, const rules::Names& names, const conf::Position& where,
                                        conf::Problems& problems) {
  const size_t before = problems.all().size();
  if (!node.is_map()) {
    problems.add(node.position(), "jwt must be a mapping",
                 "write jwt: { algorithms: [HS256], issuer: NAME, audience: NAME }");
    return nullptr;
  }
  const conf::Section section(node, kSettings, problems);
  std::unique_ptr<JwtRule> rule(new JwtRule());
  rule->read_algorithms(section, keys, key, keyring, names, where, problems);
  if (section.has("issuer")) rule->add_claim("iss", section.node("issuer"), names, problems);
  if (section.has("audience")) rule->add_claim("aud", section.node("audience"), names, problems);
  for (const conf::Entry& entry : section.node("claims").entries())
    rule->add_claim(entry.key, entry.value, names, problems);
  if (rule->claims_.size() > kMaxClaims) section.wrong("claims", "at most 16 claims are compared");
  rule->required_ = section.has("require") ? section.texts("require") : std::vector<std::string>{"exp"};
  rule->leeway_ = section.duration("leeway");
  if (section.has("max_age")) rule->max_age_ = section.duration("max_age");
  if (section.has("max_life")) rule->max_life_ = section.duration("max_life");
  if (problems.all().size() != before) return nullptr;
  return rule;
}

bool JwtRule::read_algorithms(const conf::Section& section, const conf::Node& keys, const KeyRule& key,
                              const Keyring& keyring, const rules::Names& names, const conf::Position& where,
                              conf::Problems& problems) {
  const size_t before = problems.all().size();
  bool shared = false, public_ones = false;
  for (const std::string& name : section.texts("algorithms")) {
    const auto known =
        std::find_if(std::begin(kAlgorithms), std::end(kAlgorithms), [&](const Known& a) { return a.name == name; });
    if (known == std::end(kAlgorithms)) {
      section.wrong("algorithms", "algorithm '" + printable(name) + "' is not supported",
                    "write HS256, RS256, PS256, ES256 or EdDSA");
      continue;
    }
    (known->shared ? shared : public_ones) = true;
    algorithms_.push_back({name, known->shared, known->public_one, {}});
  }
  // With both, a public key could be given out as a shared secret.
  if (shared && public_ones) section.wrong("algorithms", "HS… and public keys do not mix", "write two checks, in any: [ … ]");
  if (problems.all().size() != before || algorithms_.empty()) return false;
  if (public_ones) return ring_.build(keys, key, keyring, names, where, problems);
  if (keys.present()) section.wrong("algorithms", "keys that are published are public ones", "write algorithms: [RS256]");
  const std::vector<KeyBytes> bytes = key.find(keyring, where, problems);
  for (Algorithm& algorithm : algorithms_) algorithm.keys = make_keys(*algorithm.shared, bytes);
  return problems.all().size() == before;
}

void JwtRule::add_claim(std::string name, const conf::Node& node, const rules::Names& names, conf::Problems& problems) {
  Claim claim{std::move(name), {}};
  const std::vector<conf::Node> nodes = node.is_list() ? node.items() : std::vector<conf::Node>{node};
  for (const conf::Node& one : nodes) {
    if (auto made = rules::Template::compile(one, names, problems)) claim.values.push_back(std::move(made));
  }
  claims_.push_back(std::move(claim));
}

const JwtRule::Algorithm* JwtRule::algorithm_of(std::string_view header, std::string& key_id) const {
  const auto document = object_of(header);
  // crit names extensions a receiver must understand; there is none we do (RFC 7515 §4.1.11).
  if (!document || document->find(document->root(), "crit") != json::kNone) return nullptr;
  key_id = text_of(*document, "kid");
  const std::string name = text_of(*document, "alg");
  for (const Algorithm& algorithm : algorithms_) {
    if (algorithm.name == name) return &algorithm;
  }
  return nullptr;
}

Finding JwtRule::check(std::string_view token, Work& work) const {
  const size_t first = token.find('.');
  const size_t second = token.find('.', first == std::string_view::npos ? first : first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos ||
      token.size() > kMaxToken) {
    return Finding::refused("the token has not the form of a JWT");
  }
  std::string key_id;
  const Algorithm* algorithm = algorithm_of(token.substr(0, first), key_id);
  if (algorithm == nullptr) return Finding::refused("the token's algorithm is not accepted");
  const auto signature = base64url_decode(token.substr(second + 1));
  if (!signature) return Finding::refused("the token has not the form of a JWT");
  Finding finding = check_signature(*algorithm, key_id, token.substr(0, second), *signature, work);
  if (!finding.genuine()) return finding;
  const std::string_view reason = check_claims(token.substr(first + 1, second - first - 1), work);
  if (!reason.empty()) return Finding::refused(reason);
  work.note_proven(token.substr(0, second));
  return {};
}

Finding JwtRule::check_signature(const Algorithm& algorithm, std::string_view key_id, std::string_view text,
                                 std::string_view signature, Work& work) const {
  Finding finding = Finding::refused("the token's signature does not match");
  constexpr size_t kP256 = 64;  // r and s, nothing around them (RFC 7518 §3.4)
  if (!algorithm.shared && algorithm.public_one == PublicAlgorithm::ecdsa_p256_sha256 && signature.size() != kP256) return finding;
  bool matches = any_makes(algorithm.keys, work.now, text, signature);
  if (!algorithm.shared) {
    const std::string prepared = prepare(algorithm.public_one, text);
    matches = ring_.any(work, key_id, finding, [&](const PublicKey& key) {
      // What a JWK says it is for binds it, too (RFC 7517 §4.4).
      if ((!key.jwa.empty() && key.jwa != algorithm.name) || !key.fits(algorithm.public_one) || !work.may_verify()) return false;
      return key.verify_prepared(algorithm.public_one, prepared, signature);
    });
  }
  return matches ? Finding{} : finding;
}

std::string_view JwtRule::check_claims(std::string_view text, Work& work) const {
  const auto claims = object_of(text);
  if (!claims) return "the token's claims cannot be read";
  for (const std::string& name : required_) {
    if (claims->find(claims->root(), name) == json::kNone) return "the token lacks a required claim";
  }
  for (const Claim& claim : claims_) {
    if (holds(claim, *claims, work)) continue;
    if (claim.name == "iss") return "the token's issuer is not accepted";
    if (claim.name == "aud") return "the token is for another audience";
    return "a claim of the token does not fit the request";
  }
  return check_times(*claims, work.now);
}

bool JwtRule::holds(const Claim& claim, const json::Document& claims, Work& work) const {
  const json::Ref given = claims.find(claims.root(), claim.name);
  for (const auto& accepted : claim.values) {
    const Loan loan(work);
    const rules::Value value = accepted->run(work.context);
    if (value.is_error()) {
      work.cut_short = work.cut_short || value.failure().fault == rules::Fault::budget;
      continue;
    }
    if (value.is_null()) {
      if (given == json::kNone) return true;
      continue;
    }
    const auto text = value.to_text();
    if (text && !text->empty() && given != json::kNone && is_value(claims, given, *text)) return true;
  }
  return false;
}

std::string_view JwtRule::check_times(const json::Document& claims, WallTime now) const {
  std::optional<double> expires, not_before, issued;
  if (!read_date(claims, "exp", expires) || !read_date(claims, "nbf", not_before) ||
      !read_date(claims, "iat", issued)) {
    return "the token's times cannot be read";
  }
  const double earliest = static_cast<double>(to_ms(now - leeway_)), latest = static_cast<double>(to_ms(now + leeway_));
  if (expires && *expires <= earliest) return "the token has expired";
  if (not_before && *not_before > latest) return "the token is not valid yet";
  if (issued && *issued > latest) return "the token is not valid yet";
  if (max_life_.count() > 0 && !expires) return "the token does not say when it expires";
  if (max_life_.count() > 0 && *expires > static_cast<double>(to_ms(now + max_life_ + leeway_))) return "the token is valid for too long";
  if (max_age_.count() > 0 && !issued) return "the token does not say when it was made";
  if (max_age_.count() > 0 && *issued < static_cast<double>(to_ms(now - max_age_))) return "the token is too old";
  return {};
}

bool JwtRule::tells_replays() const {
  return binds_body() || std::find(required_.begin(), required_.end(), "jti") != required_.end();
}

bool JwtRule::binds_body() const {
  return std::any_of(claims_.begin(), claims_.end(), [](const Claim& claim) {
    return std::all_of(claim.values.begin(), claim.values.end(),
                       [](const auto& value) { return value->holds_raw(); });
  });
}

bool JwtRule::bounds_age() const {
  return max_age_.count() > 0 || max_life_.count() > 0;
}

bool JwtRule::reads_url() const {
  return std::any_of(claims_.begin(), claims_.end(), [](const Claim& claim) {
    return std::any_of(claim.values.begin(), claim.values.end(),
                       [](const auto& value) { return value->reads(rules::Variable::url); });
  });
}

Result<std::string> JwtRule::make(Work& work) const {
  constexpr int64_t kMadeFor = 300;  // seconds a token is valid
  const Algorithm& algorithm = algorithms_.front();
  const int64_t seconds = to_ms(work.now) / 1000;
  std::string claims = "{";
  for (const Claim& claim : claims_) {
    const Loan loan(work);
    const rules::Value value = claim.values.front()->run(work.context);
    if (value.is_error()) return invalid("the request lacks what claim " + claim.name + " is made of");
    if (value.is_null()) continue;
    auto text = value.to_text();
    if (!text) return text.error();
    append_json_string(claims, claim.name);
    claims += ':';
    if (*text == "true" || *text == "false") {
      claims += *text;
    } else {
      append_json_string(claims, *text);
    }
    claims += ',';
  }
  if (std::find(required_.begin(), required_.end(), "jti") != required_.end())
    claims += "\"jti\":\"belay-" + std::to_string(to_ms(work.now)) + "\",";
  claims += "\"iat\":" + std::to_string(seconds) + ",\"nbf\":" + std::to_string(seconds) +
            ",\"exp\":" + std::to_string(seconds + kMadeFor) + '}';
  const std::string token =
      base64url_encode("{\"alg\":\"" + algorithm.name + "\",\"typ\":\"JWT\"}") + '.' + base64url_encode(claims);
  if (const auto mac = make_mac(algorithm.keys, work.now, token)) return token + '.' + base64url_encode(*mac);
  if (algorithm.shared) return invalid("no secret is valid now");
  Finding finding;
  Result<std::string> made = invalid("no key is valid now, or the keys cannot be fetched");
  ring_.any(work, {}, finding, [&](const PublicKey& key) {
    made = key.sign(algorithm.public_one, token);
    return made.ok();
  });
  if (!made) return made;
  constexpr size_t kP256 = 32;
  const auto raw = algorithm.public_one == PublicAlgorithm::ecdsa_p256_sha256 ? ecdsa_from_der(*made, kP256) : *made;
  if (!raw) return invalid("the key does not fit the algorithm");
  return token + '.' + base64url_encode(*raw);
}

}  // namespace belay::signature
