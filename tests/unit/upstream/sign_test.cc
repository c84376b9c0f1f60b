#include <doctest/doctest.h>

#include "base/bytes.h"
#include "conf/node.h"
#include "signature/mac.h"
#include "signature/scheme.h"
#include "tests/unit/upstream/scripted_backend.h"
#include "upstream/settings.h"
#include "upstream/sign_head.h"

using namespace belay;
using namespace belay::test;
using namespace belay::upstream;

namespace {

std::shared_ptr<const signature::Scheme> scheme(const std::string& yaml) {
  conf::Problems problems;
  const auto document = conf::Document::parse(yaml, "test.yaml", problems);
  conf::Configuration configuration;
  auto made = read_sign(document->root(), configuration, {}, problems);
  INFO(problems.to_string());
  REQUIRE(made != nullptr);
  return made;
}

struct Kit {
  std::shared_ptr<Destination> to = destination({"https://backend.test/in"});
  http::Fields fields;
  Outbound request;

  explicit Kit(const std::string& yaml) {
    to->sign = scheme(yaml);
    fields.add("Host", "sender.test");
    fields.add("Content-Type", "application/json");
    request.method = "POST";
    request.target = "/hook?x=1&sig=of-the-sender";
    request.fields = &fields;
    request.body = "{\"a\":1}";
    request.has_body = true;
    request.id = *MessageId::parse("0198c0de-0000-7000-8000-000000000001");
    request.now = *conf::parse_time("2026-01-02T03:04:05Z");
  }
  std::string head() const { return compose_head(*to, to->urls[0], request); }
};

std::string field(const std::string& head, const std::string& name) {
  const size_t at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const size_t from = at + name.size() + 4;
  return head.substr(from, head.find("\r\n", from) - from);
}
size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

const std::string kStandard =
    "{ secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, algorithm: hmac-sha256, over: '{{ $headers[\"webhook-id\"] }}.{{ $ts }}.{{ $raw }}',"
    " signature: { header: webhook-signature, list: \" \", pair: \",\", take: v1 }, encoding: base64,"
    " key: { strip: whsec_, decode: base64 }, timestamp: { header: webhook-timestamp, unit: s, tolerance: 5m } }";

}  // namespace

TEST_CASE("an_attempt_is_signed_over_its_id_time_and_body") {
  Kit kit(kStandard);
  const std::string head = kit.head();
  INFO(head);
  CHECK_EQ(field(head, "webhook-timestamp"), "1767323045");
  CHECK(field(head, "webhook-signature").starts_with("v1,"));
  CHECK_EQ(field(head, "webhook-signature").size(), 3 + 44);
  CHECK(head.ends_with("\r\n\r\n"));
  CHECK_EQ(count(head, "\r\n\r\n"), 1);
  CHECK_EQ(kit.head(), head);
  kit.request.body = "{\"a\":2}";
  CHECK_NE(field(kit.head(), "webhook-signature"), field(head, "webhook-signature"));
}

TEST_CASE("what_the_sender_signed_with_is_replaced_and_its_id_is_kept") {
  Kit kit(kStandard);
  kit.fields.add("Webhook-Id", "msg_1");
  kit.fields.add("Webhook-Signature", "v1,old");
  kit.fields.add("Webhook-Timestamp", "1");
  const std::string head = kit.head();
  INFO(head);
  CHECK_EQ(count(head, "old"), 0);
  CHECK_EQ(field(head, "Webhook-Id"), "msg_1");
  CHECK_EQ(field(head, "Webhook-Timestamp"), "");
  CHECK_EQ(field(head, "webhook-timestamp"), "1767323045");
}

TEST_CASE("an_id_that_the_scheme_signs_and_the_request_lacks_is_the_same_in_every_attempt") {
  Kit kit("{ secret: k, algorithm: hmac-sha256, over: '{{ $headers[\"svix-id\"] }}.{{ $raw }}', signature: { header: svix-signature } }");
  CHECK_EQ(field(kit.head(), "svix-id"), "0198c0de-0000-7000-8000-000000000001");
  kit.request.attempt = 2;
  CHECK_EQ(field(kit.head(), "svix-id"), "0198c0de-0000-7000-8000-000000000001");
}

TEST_CASE("the_url_that_is_signed_is_the_one_that_is_asked") {
  Kit kit("{ secret: k, algorithm: hmac-sha256, over: '{{ $method }} {{ $url }}', signature: { query: sig } }");
  const std::string head = kit.head();
  INFO(head);
  CHECK(head.starts_with("POST /in?x=1&sig="));
  CHECK_EQ(count(head, "sig="), 1);
  signature::Mac mac(signature::Digest::sha256, "k");
  mac.begin();
  mac.update("POST https://backend.test/in?x=1");
  signature::Mac::Room room;
  const std::string_view made = mac.finish(room);
  CHECK(head.starts_with("POST /in?x=1&sig=" + hex_encode(made) + " HTTP/1.1\r\n"));
  kit.request.target = "/hook";
  CHECK(kit.head().starts_with("POST /in?sig="));
}

TEST_CASE("without_a_valid_key_or_with_a_field_that_is_missing_nothing_is_sent") {
  Kit late("{ secret: { value: k, valid_until: \"2025-01-01T00:00:00Z\" }, algorithm: hmac-sha256, signature: { header: X-Sig } }");
  std::string head;
  const auto made = append_head(head, *late.to, late.to->urls[0], late.request);
  REQUIRE_FALSE(made.ok());
  CHECK(made.error().kind == ErrorKind::unavailable);
  CHECK(made.error().message.starts_with("sign: "));
}
