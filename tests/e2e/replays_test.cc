// verify.replay through the running gateway: the same signed request is taken once within the window, whatever stands unsigned
// beside it, in both modes, over reloads and restarts.
#include <doctest/doctest.h>

#include <ctime>
#include <filesystem>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "support/backend.h"
#include "support/gateway.h"

using namespace belay;
using namespace belay::test;

namespace {

constexpr char kSecret[] = "replay-s3cret";

struct Webhook {
  std::string path = "/shop";
  std::string body = "{\"a\":1}";
  long time = std::time(nullptr);
  std::string delivery = "d-1";  // not signed
  bool upper = false;            // the signature's digits

  int send(const Gateway& gateway) const {
    const std::string stamp = std::to_string(time);
    std::string signature = hmac_sha256_hex(kSecret, stamp + "." + body);
    if (upper) {
      for (char& c : signature) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    const auto answer = send_once(gateway.address(), request("POST", path, {{"X-Signature", "t=" + stamp + ",v1=" + signature}, {"X-Delivery", delivery}}, body));
    return answer ? answer->status : 0;
  }
};

std::string rules(const Backend& backend, const std::string& source = "", const std::string& window = "10m") {
  return R"(sources:
  shop:
    match: /shop
    secrets: { signing: replay-s3cret }
    verify:
      algorithm: hmac-sha256
      over: "{{ $ts }}.{{ $raw }}"
      signature: { header: X-Signature, list: ",", pair: "=", take: v1 }
      timestamp: { signature: t, unit: s, tolerance: 5m }
      replay: )" + window + "\n" + source + R"(    routes: [{ to: erp }]
destinations:
  erp: { url: "http://)" + backend.address() + R"(" }
)";
}

}  // namespace

TEST_CASE("the_same_signed_request_is_taken_once_also_after_a_reload_and_a_restart") {
  const TempFolder folder;
  Backend backend(folder);
  auto gateway = std::make_unique<Gateway>(folder, GatewayOptions{.rules = rules(backend)});
  const Webhook webhook;
  CHECK_EQ(webhook.send(*gateway), 200);
  CHECK_EQ(webhook.send(*gateway), 401);
  Webhook changed = webhook;
  changed.delivery = "d-2";
  CHECK_EQ(changed.send(*gateway), 401);
  changed.upper = true;
  CHECK_EQ(changed.send(*gateway), 401);
  Webhook later = webhook;
  ++later.time;
  CHECK_EQ(later.send(*gateway), 200);
  CHECK_EQ(backend.seen_count(), 2);

  gateway->write_rules(rules(backend, "    body: { max: 10KB }\n"));
  gateway->reload();
  Webhook big = webhook;
  big.body = "\"" + std::string(20'000, 'x') + "\"";
  REQUIRE(wait_for([&] { return big.send(*gateway) == 413; }));
  CHECK_EQ(webhook.send(*gateway), 401);
  gateway.reset();
  std::filesystem::remove(folder / "gateway.err");  // which says that the first one was ready
  gateway = std::make_unique<Gateway>(folder, GatewayOptions{.rules = rules(backend)});
  CHECK_EQ(webhook.send(*gateway), 401);
  CHECK_EQ(later.send(*gateway), 401);
  ++later.time;
  CHECK_EQ(later.send(*gateway), 200);
}

TEST_CASE("a_source_adds_replay_to_its_presets_scheme") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = R"(sources:
  hub: { match: /hub, preset: github, secrets: { signing: replay-s3cret }, verify: { replay: 10m }, routes: [{ to: erp }] }
destinations:
  erp: { url: "http://)" + backend.address() + R"(" }
)"});
  const auto send = [&](const std::string& body, const std::string& delivery) {
    const auto answer = send_once(gateway.address(), request("POST", "/hub", {{"X-Hub-Signature-256", "sha256=" + hmac_sha256_hex(kSecret, body)}, {"X-GitHub-Delivery", delivery}}, body));
    return answer ? answer->status : 0;
  };
  CHECK_EQ(send("{}", "1"), 200);
  CHECK_EQ(send("{}", "2"), 401);
  CHECK_EQ(send("[]", "3"), 200);
}

TEST_CASE("mode_spool_refuses_a_replay_and_delivers_once") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend, "    mode: spool\n")});
  const Webhook webhook;
  CHECK_EQ(webhook.send(gateway), 202);
  CHECK_EQ(webhook.send(gateway), 401);
  Webhook later = webhook;
  ++later.time;
  CHECK_EQ(later.send(gateway), 202);
  REQUIRE(wait_for([&] { return backend.seen_count() >= 2; }));
  CHECK_EQ(webhook.send(gateway), 401);
  CHECK_EQ(backend.seen_count(), 2);
}

TEST_CASE("what_the_backend_refused_may_come_again_and_the_window_ends") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend, "", "2s")});
  const Webhook webhook;
  backend.mode("status 409 x1");
  CHECK_EQ(webhook.send(gateway), 409);
  CHECK_EQ(webhook.send(gateway), 200);
  CHECK_EQ(webhook.send(gateway), 401);
  CHECK(wait_for([&] { return webhook.send(gateway) == 200; }));
}

TEST_CASE("with_dedupe_a_senders_retry_is_answered_like_the_first_and_a_replay_under_another_id_is_refused") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend, "    dedupe: { key: '$headers[\"X-Delivery\"]', window: 1h }\n")});
  const Webhook webhook;
  CHECK_EQ(webhook.send(gateway), 200);
  CHECK_EQ(webhook.send(gateway), 200);
  Webhook replay = webhook;
  replay.delivery = "d-2";
  CHECK_EQ(replay.send(gateway), 401);
  CHECK_EQ(backend.seen_count(), 1);
}
