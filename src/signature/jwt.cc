#include "signature/jwt.h"

#include <algorithm>

#include "base/bytes.h"

namespace belay::signature {

namespace {

constexpr int64_t kMadeFor = 300;  // seconds a token of make() is valid

constexpr conf::Setting kSettings[] = {
    {.key = "algorithms", .type = conf::Type::node, .required = true, .help = "HS256, HS384, HS512"},
    {.key = "issuer", .type = conf::Type::node, .help = "accepted iss claims"},
    {.key = "audience", .type = conf::Type::node, .help = "accepted aud claims"},
    {.key = "require", .type = conf::Type::node, .fallback = "exp", .help = "claims that must be there"},
    {.key = "leeway",
     .type = conf::Type::duration,
     .fallback = "30s",
     .range = "0s..10m",
     .help = "how far clocks may differ"},
    // Read by auth, where the key stands beside the rules; a scheme has it in `key`.
    {.key = "secret", .type = conf::Type::node, .help = "the key (auth only)"},
};

constexpr std::pair<std::string_view, Digest> kAlgorithms[] = {
    {"HS256", Digest::sha256}, {"HS384", Digest::sha384}, {"HS512", Digest::sha512}};

// A part of a token as the JSON object it must be.
std::unique_ptr<const json::Document> object_of(std::string_view part) {
  auto text = base64url_decode(part);
  if (!text) return nullptr;
  auto document = json::Document::parse_owned(std::move(*text));
  if (!document || (*document)->type((*document)->root()) != json::Type::object) return nullptr;
  return std::move(*document);
}

bool is_text(const json::Document& document, json::Ref value, const std::vector<std::string>& accepted) {
  if (value == json::kNone || document.type(value) != json::Type::string) return false;
  std::string scratch;
  return std::find(accepted.begin(), accepted.end(), document.string(value, scratch)) != accepted.end();
}

// aud is a text or a list of texts (RFC 7519 §4.1.3).
bool has_audience(const json::Document& document, const std::vector<std::string>& accepted) {
  const json::Ref audience = document.find(document.root(), "aud");
  if (audience == json::kNone) return false;
  if (document.type(audience) != json::Type::array) return is_text(document, audience, accepted);
  for (json::Ref item = document.first(audience); item != json::kNone; item = document.next(audience, item)) {
    if (is_text(document, item, accepted)) return true;
  }
  return false;
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

std::unique_ptr<JwtRule> JwtRule::build(const conf::Node& node, const conf::Secret& secret, conf::Problems& problems) {
  const size_t before = problems.all().size();
  if (!node.is_map()) {
    problems.add(node.position(), "jwt must be a mapping",
                 "write jwt: { algorithms: [HS256], issuer: NAME, audience: NAME }");
    return nullptr;
  }
  const conf::Section section(node, kSettings, problems);
  std::unique_ptr<JwtRule> rule(new JwtRule());
  for (const std::string& name : section.texts("algorithms")) {
    const auto known =
        std::find_if(std::begin(kAlgorithms), std::end(kAlgorithms), [&](const auto& a) { return a.first == name; });
    if (known == std::end(kAlgorithms)) {
      section.wrong("algorithms", "algorithm '" + printable(name) + "' is not supported",
                    "write HS256, HS384 or HS512");
    } else {
      rule->algorithms_.push_back({name, make_keys(known->second, secret)});
    }
  }
  if (section.has("issuer")) rule->issuers_ = section.texts("issuer");
  if (section.has("audience")) rule->audiences_ = section.texts("audience");
  rule->required_ = section.has("require") ? section.texts("require") : std::vector<std::string>{"exp"};
  rule->leeway_ = section.duration("leeway");
  if (problems.all().size() != before) return nullptr;
  return rule;
}

const JwtRule::Algorithm* JwtRule::algorithm_of(std::string_view header) const {
  const auto document = object_of(header);
  // crit names extensions a receiver must understand; there is none we do (RFC 7515 §4.1.11).
  if (!document || document->find(document->root(), "crit") != json::kNone) return nullptr;
  const json::Ref name = document->find(document->root(), "alg");
  if (name == json::kNone || document->type(name) != json::Type::string) return nullptr;
  std::string scratch;
  const std::string_view text = document->string(name, scratch);
  for (const Algorithm& algorithm : algorithms_) {
    if (algorithm.name == text) return &algorithm;
  }
  return nullptr;
}

std::string_view JwtRule::check(std::string_view token, WallTime now) const {
  const size_t first = token.find('.');
  const size_t second = token.find('.', first == std::string_view::npos ? first : first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos ||
      token.size() > kMaxToken) {
    return "the token has not the form of a JWT";
  }
  const Algorithm* algorithm = algorithm_of(token.substr(0, first));
  if (algorithm == nullptr) return "the token's algorithm is not accepted";
  const auto signature = base64url_decode(token.substr(second + 1));
  if (!signature) return "the token has not the form of a JWT";
  bool matches = false;
  for (const MacKey& key : algorithm->keys) {
    if (!key.window.valid_at(now)) continue;
    Mac::Room room;
    key.mac.begin();
    key.mac.update(token.substr(0, second));
    if (constant_time_equals(key.mac.finish(room), *signature)) matches = true;
  }
  if (!matches) return "the token's signature does not match";
  return check_claims(token.substr(first + 1, second - first - 1), now);
}

std::string_view JwtRule::check_claims(std::string_view text, WallTime now) const {
  const auto claims = object_of(text);
  if (!claims) return "the token's claims cannot be read";
  for (const std::string& name : required_) {
    if (claims->find(claims->root(), name) == json::kNone) return "the token lacks a required claim";
  }
  if (!issuers_.empty() && !is_text(*claims, claims->find(claims->root(), "iss"), issuers_))
    return "the token's issuer is not accepted";
  if (!audiences_.empty() && !has_audience(*claims, audiences_)) return "the token is for another audience";
  return check_times(*claims, now);
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
  return {};
}

std::string JwtRule::make(WallTime now) const {
  const Algorithm& algorithm = algorithms_.front();
  const int64_t seconds = to_ms(now) / 1000;
  std::string claims = "{";
  const auto add_text = [&](std::string_view name, const std::vector<std::string>& values) {
    if (values.empty()) return;
    claims += '"' + std::string(name) + "\":";
    append_json_string(claims, values.front());
    claims += ',';
  };
  add_text("iss", issuers_);
  add_text("aud", audiences_);
  claims += "\"iat\":" + std::to_string(seconds) + ",\"exp\":" + std::to_string(seconds + kMadeFor) + '}';
  std::string token =
      base64url_encode("{\"alg\":\"" + algorithm.name + "\",\"typ\":\"JWT\"}") + '.' + base64url_encode(claims);
  for (const MacKey& key : algorithm.keys) {
    if (!key.window.valid_at(now)) continue;
    Mac::Room room;
    key.mac.begin();
    key.mac.update(token);
    return token + '.' + base64url_encode(key.mac.finish(room));
  }
  return {};
}

}  // namespace belay::signature
