// Signature headers, tokens and keys as a sender may write them. The first byte chooses a scheme, the first line is the text of
// its header, the rest the body. Whatever it is: checking ends with a finding; a request that is genuine is not with another
// body; what sign() adds to a body is genuine. Key documents and structured fields are read from the same text.
#include <memory>
#include <string>
#include <vector>

#include "fuzz/input.h"
#include "signature/http_signature.h"
#include "signature/scheme.h"
#include "signature/structured_fields.h"

using namespace belay;

namespace {

constexpr std::string_view kSchemes[] = {
    "{ algorithm: hmac-sha256, signature: { header: S } }",
    "{ algorithm: hmac-sha1, signature: { header: S, scheme: HMAC }, encoding: base64 }",
    "{ algorithm: hmac-sha256, over: '{{ $ts }}.{{ $raw }}', signature: { header: S, list: ',', pair: '=', take: v1 },"
    " timestamp: { signature: t, tolerance: 5m } }",
    "{ algorithm: hmac-sha256, over: '{{ $ts }}.{{ $raw }}', signature: { header: S, list: ',', positional: [t, '*'] },"
    " timestamp: { signature: t, unit: ms, tolerance: 5m }, encoding: base64url }",
    "{ algorithm: hmac-sha256, over: '{{ $ts }}.{{ $raw }}', signature: { header: S, group: ' ', list: ',', pair: '=', take: v1 },"
    " timestamp: { signature: t, tolerance: 5m } }",
    "{ algorithm: hmac-sha256, over: '{{ $signature.env }}{{ $raw }}', signature: { header: S, list: ',', pair: '=', take: s,"
    " also: { env: test } } }",
    "{ algorithm: jwt, signature: { header: S, scheme: Bearer }, jwt: { algorithms: [HS256, HS512],"
    " claims: { body: '{{ hex(sha256($raw)) }}' }, require: [exp] } }",
    "{ algorithm: rfc9421, signature: { algorithm: hmac-sha256, components: ['@method', content-digest], tolerance: 5m } }",
};

const WallTime kNow = wall_from_ms(1'760'000'000'000);

// Built once; never freed, so that what a target keeps is not taken for a leak.
const std::vector<std::unique_ptr<signature::Scheme>>& schemes() {
  static const auto* const made = [] {
    auto* const all = new std::vector<std::unique_ptr<signature::Scheme>>();
    for (const std::string_view text : kSchemes) {
      conf::Problems problems;
      const auto document = conf::Document::parse("verify: " + std::string(text), "fuzz.yaml", problems);
      BELAY_CHECK_NOTE(document != nullptr, problems.to_string().c_str());
      signature::Keyring keyring;
      keyring.secrets["signing"] = {{.value = "k1", .valid_from = {}, .valid_until = {}}, {.value = "k2", .valid_from = {}, .valid_until = {}}};
      all->push_back(signature::Scheme::build(document->root().at("verify"), std::move(keyring), {}, problems));
      BELAY_CHECK_NOTE(all->back() != nullptr, problems.to_string().c_str());
    }
    return all;
  }();
  return *made;
}

using Fields = std::vector<std::pair<std::string, std::string>>;

bool is_genuine(const signature::Scheme& scheme, const Fields& fields, std::string_view body) {
  http::RequestHead head;
  head.method = "POST";
  head.target = head.path = "/hook";
  head.host = "example.com";
  for (const auto& [name, value] : fields) head.fields.add(name, value);
  payload::RequestContext context(payload::RequestView{.head = &head, .body = body, .tls = true, .received = kNow});
  scheme.timestamp_of(context);
  const signature::Finding finding = scheme.check(context, kNow);
  BELAY_CHECK(finding.genuine() || !finding.reason.empty());
  return finding.genuine();
}

void check_scheme(const signature::Scheme& scheme, const Fields& fields, const std::string& body) {
  if (is_genuine(scheme, fields, body)) BELAY_CHECK(!is_genuine(scheme, fields, body + "x"));
  http::RequestHead head;
  head.method = "POST";
  head.target = head.path = "/hook";
  head.host = "example.com";
  payload::RequestContext context(payload::RequestView{.head = &head, .body = body, .tls = true, .received = kNow});
  const auto made = scheme.sign(context, kNow);
  BELAY_CHECK(made.ok());
  BELAY_CHECK(is_genuine(scheme, made->fields, body));
  BELAY_CHECK(!is_genuine(scheme, made->fields, body + "x"));
}

// A Content-Digest of our own holds for its body alone, whatever else stands beside it.
void check_fields(std::string_view line, std::string_view body) {
  if (const auto members = signature::parse_dictionary(line)) {
    for (const auto& member : *members) BELAY_CHECK(!member.key.empty());
  }
  signature::check_content_digest(line, body);
  const std::string digest = signature::content_digest(body);
  BELAY_CHECK(signature::check_content_digest(digest, body).empty());
  BELAY_CHECK(!signature::check_content_digest(digest, std::string(body) + "x").empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input = fuzz::text(data, size);
  if (input.empty()) return 0;
  const auto& all = schemes();
  const size_t chosen = static_cast<unsigned char>(input.front()) % all.size();
  input.remove_prefix(1);
  const size_t end = std::min(input.find('\n'), input.size());
  const std::string line(input.substr(0, end)), body(input.substr(std::min(end + 1, input.size())));
  Fields fields = {{"S", line}};
  // RFC 9421 has two fields: the line is one or the other, with the text behind a tab as the other.
  const size_t tab = std::min(line.find('\t'), line.size());
  fields.emplace_back("Signature-Input", line.substr(0, tab));
  fields.emplace_back("Signature", line.substr(std::min(tab + 1, line.size())));
  fields.emplace_back("Content-Digest", signature::content_digest(body));
  check_scheme(*all[chosen], fields, body);
  check_fields(line, body);
  if (const auto keys = signature::parse_public_keys(body)) {
    BELAY_CHECK(!keys->empty() && keys->size() <= signature::kMaxKeys);
    for (const auto& key : *keys) key.verify(signature::PublicAlgorithm::ed25519, body, line);
  }
  return 0;
}
