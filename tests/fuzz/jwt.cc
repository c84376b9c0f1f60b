// Tokens of a sender. The first byte chooses the rule and whether the text behind it is the whole token, or header and claims (a line each) that
// are signed here with the right key, so that the signature does not end every walk. A token is genuine for its own body alone where a
// claim binds it, and never with another key.
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "fuzz/input.h"
#include "signature/mac.h"
#include "signature/scheme.h"

using namespace belay;

namespace {

constexpr std::string_view kRules[] = {
    "{ algorithms: [HS256] }",
    "{ algorithms: [HS256], claims: { body: '{{ hex(sha256($raw)) }}' }, require: [exp, iat], max_age: 5m, max_life: 10m }",
    "{ algorithms: [HS256, HS512], issuer: me, audience: [you, them], claims: { sub: '{{ null }}' } }",
};
constexpr size_t kRuleCount = std::size(kRules), kBinding = 1;
constexpr std::string_view kKey = "k1", kOtherKey = "k2";
const WallTime kNow = wall_from_ms(1'760'000'000'000);

std::unique_ptr<signature::Scheme> build(std::string_view jwt, std::string_view key) {
  conf::Problems problems;
  const auto document = conf::Document::parse("verify: { algorithm: jwt, signature: { header: S, scheme: Bearer }, jwt: " + std::string(jwt) + " }", "fuzz.yaml", problems);
  BELAY_CHECK_NOTE(document != nullptr, problems.to_string().c_str());
  signature::Keyring keyring;
  keyring.secrets["signing"] = {{.value = std::string(key), .valid_from = {}, .valid_until = {}}};
  auto scheme = signature::Scheme::build(document->root().at("verify"), std::move(keyring), {}, problems);
  BELAY_CHECK_NOTE(scheme != nullptr, problems.to_string().c_str());
  return scheme;
}

using Schemes = std::vector<std::unique_ptr<signature::Scheme>>;

const Schemes* all_with(std::string_view key) {
  auto* const made = new Schemes();
  for (const std::string_view rule : kRules) made->push_back(build(rule, key));
  return made;
}

// Built once; never freed, so that what a target keeps is not taken for a leak.
const Schemes& right_schemes() {
  static const Schemes* const made = all_with(kKey);
  return *made;
}

const Schemes& other_schemes() {
  static const Schemes* const made = all_with(kOtherKey);
  return *made;
}

bool is_genuine(const signature::Scheme& scheme, const std::string& token, std::string_view body) {
  http::RequestHead head;
  head.method = "POST";
  head.target = head.path = "/hook";
  head.host = "example.com";
  const std::string value = "Bearer " + token;
  head.fields.add("S", value);
  payload::RequestContext context(payload::RequestView{.head = &head, .body = body, .tls = true, .received = kNow});
  scheme.timestamp_of(context);
  const signature::Finding finding = scheme.check(context, kNow);
  BELAY_CHECK(finding.genuine() || !finding.reason.empty());
  return finding.genuine();
}

std::string signed_token(std::string_view header, std::string_view claims) {
  const std::string text = base64url_encode(header) + "." + base64url_encode(claims);
  const signature::Mac mac(signature::Digest::sha256, kKey);
  signature::Mac::Room room;
  mac.begin();
  mac.update(text);
  return text + "." + base64url_encode(mac.finish(room));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text = fuzz::text(data, size).substr(1);
  const size_t chosen = data[0] % kRuleCount, end = std::min(text.find('\n'), text.size());
  const bool whole = data[0] / kRuleCount % 2 == 0;
  const std::string token = whole ? std::string(text.substr(0, end)) : signed_token(text.substr(0, end), text.substr(std::min(end + 1, text.size())));
  const std::string body = "{}";
  const bool genuine = is_genuine(*right_schemes()[chosen], token, body);
  if (genuine && chosen == kBinding) BELAY_CHECK(!is_genuine(*right_schemes()[chosen], token, body + "x"));
  BELAY_CHECK(!is_genuine(*other_schemes()[chosen], token, body));
  return 0;
}
