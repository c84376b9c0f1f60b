// Keys that senders publish, through the running gateway and a real server of key sets: asked once, asked again for a key that
// is not known, waited for, and never a reason for 401 while they cannot be had.
#include <doctest/doctest.h>
#include <openssl/evp.h>

#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "support/backend.h"
#include "support/gateway.h"

using namespace belay;
using namespace belay::test;

namespace {

// An Ed25519 key with its id.
class Key {
 public:
  explicit Key(std::string id) : id_(std::move(id)), key_(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_PKEY_free) {}

  std::string jwk() const {
    unsigned char bytes[32];
    size_t size = sizeof bytes;
    REQUIRE_EQ(EVP_PKEY_get_raw_public_key(key_.get(), bytes, &size), 1);
    return R"({"kty":"OKP","crv":"Ed25519","kid":")" + id_ + R"(","x":")" + base64url_encode({reinterpret_cast<char*>(bytes), size}) + "\"}";
  }

  // With the hash of `body` in it, valid for an hour.
  std::string token(const std::string& body) const {
    const std::string text = part(R"({"alg":"EdDSA","kid":")" + id_ + "\"}") + "." +
                             part(R"({"aud":"belay","exp":)" + std::to_string(time(nullptr) + 3600) + R"(,"body":")" + sha256_hex(body) + "\"}");
    unsigned char signature[64];
    size_t size = sizeof signature;
    EVP_MD_CTX* const context = EVP_MD_CTX_new();
    REQUIRE_EQ(EVP_DigestSignInit(context, nullptr, nullptr, nullptr, key_.get()), 1);
    REQUIRE_EQ(EVP_DigestSign(context, signature, &size, reinterpret_cast<const unsigned char*>(text.data()), text.size()), 1);
    EVP_MD_CTX_free(context);
    return text + "." + part({reinterpret_cast<char*>(signature), size});
  }

 private:
  static std::string part(std::string_view bytes) { return base64url_encode(bytes); }
  std::string id_;
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
};

std::string key_set(const std::vector<const Key*>& keys) {
  std::string out;
  for (const Key* key : keys) out += (out.empty() ? "" : ",") + key->jwk();
  return R"({"keys":[)" + out + "]}";
}

// A server of key sets: a process of its own.
class Issuer {
 public:
  Issuer(const TempFolder& folder, const std::string& name) : folder_(folder), name_(name), server_(folder, name) {}
  void publish(const std::vector<const Key*>& keys) const {
    const std::string body = key_set(keys);
    folder_.write(name_ + ".answer", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " +
                                         std::to_string(body.size()) + "\r\n\r\n" + body);
    server_.mode("raw " + folder_ / (name_ + ".answer"));
  }
  Backend& server() { return server_; }
  size_t asked() const { return server_.seen_count(); }
  std::string url() const { return "http://" + server_.address() + "/keys"; }

 private:
  const TempFolder& folder_;
  std::string name_;
  Backend server_;
};

constexpr char kBody[] = "{\"a\":1}";

std::string signed_request(const std::string& path, const std::string& token) {
  return request("POST", path, {{"Content-Type", "application/json"}, {"Authorization", "Bearer " + token}}, kBody);
}

int status_of(const Gateway& gateway, const std::string& path, const std::string& token) {
  const auto answer = send_once(gateway.address(), signed_request(path, token));
  return answer ? answer->status : 0;
}

std::string rules_with(const std::string& sources, const Backend& backend) {
  return "sources:\n" + sources + "destinations:\n  erp: { url: \"http://" + backend.address() + "\" }\n";
}

std::string authorised(const std::string& name, const std::string& keys) {
  return "  " + name + ": { match: /" + name + ", auth: { jwt: { keys: " + keys + ", algorithms: [EdDSA], audience: belay } }, routes: [{ to: erp }] }\n";
}

std::string verified(const std::string& keys) {
  return "{ algorithm: jwt, signature: { header: Authorization, scheme: Bearer }, keys: " + keys +
         ", jwt: { algorithms: [EdDSA], claims: { body: \"{{ hex(sha256($raw)) }}\" } } }";
}

}  // namespace

TEST_CASE("a_key_set_is_asked_once_and_again_for_a_key_that_it_lacks_but_not_for_every_such_token") {
  const TempFolder folder;
  Backend backend(folder);
  Issuer issuer(folder, "issuer");
  const Key first("one"), second("two"), foreign("three");
  issuer.publish({&first});
  Gateway gateway(folder, {.rules = rules_with(authorised("erp", "\"" + issuer.url() + "\""), backend), .proxy = "  workers: 1\n"});
  for (int i = 0; i < 3; ++i) CHECK_EQ(status_of(gateway, "/erp", first.token(kBody)), 200);
  CHECK_EQ(issuer.asked(), 1);
  issuer.publish({&first, &second});
  // The set is young: it is asked for again a second later.
  int status = 0;
  CHECK(wait_for([&] {
    status = status_of(gateway, "/erp", second.token(kBody));
    return status != 401;
  }));
  CHECK_EQ(status, 200);
  CHECK_EQ(issuer.asked(), 2);
  for (int i = 0; i < 5; ++i) CHECK_EQ(status_of(gateway, "/erp", foreign.token(kBody)), 401);
  CHECK_EQ(issuer.asked(), 2);
  CHECK_EQ(status_of(gateway, "/erp", first.token(kBody) + "x"), 401);

  issuer.server().stop();
  CHECK_EQ(status_of(gateway, "/erp", first.token(kBody)), 200);
  CHECK_EQ(status_of(gateway, "/erp", second.token(kBody)), 200);
}

TEST_CASE("a_key_that_is_not_known_while_the_server_is_down_is_no_reason_for_401") {
  const TempFolder folder;
  Backend backend(folder);
  Issuer issuer(folder, "issuer");
  const Key known("one"), foreign("two");
  issuer.publish({&known});
  Gateway gateway(folder, {.rules = rules_with(authorised("erp", "\"" + issuer.url() + "\""), backend), .proxy = "  workers: 1\n"});
  CHECK_EQ(status_of(gateway, "/erp", known.token(kBody)), 200);
  issuer.server().stop();
  // Within the first second the set is as new as can be, and says no.
  CHECK(wait_for([&] { return status_of(gateway, "/erp", foreign.token(kBody)) == 503; }));
  CHECK_EQ(status_of(gateway, "/erp", foreign.token(kBody)), 503);
  CHECK_EQ(status_of(gateway, "/erp", known.token(kBody)), 200);
  issuer.server().start();
  CHECK(wait_for([&] { return status_of(gateway, "/erp", foreign.token(kBody)) == 401; }, Milliseconds(20'000)));
  CHECK_EQ(status_of(gateway, "/erp", known.token(kBody)), 200);
}

TEST_CASE("webhooks_wait_while_keys_are_fetched_once_for_all_of_them") {
  const TempFolder folder;
  Backend backend(folder);
  Issuer issuer(folder, "issuer");
  const Key key("one");
  issuer.publish({&key});
  issuer.server().stop();
  Gateway gateway(folder, {.rules = rules_with("  s: { match: /s, verify: " + verified("\"" + issuer.url() + "\"") + ", routes: [{ to: erp }] }\n", backend),
                           .proxy = "  workers: 1\n"});
  const auto refused = send_once(gateway.address(), signed_request("/s", key.token(kBody)));
  REQUIRE(refused.has_value());
  CHECK_EQ(refused->status, 503);
  CHECK_FALSE(refused->field("Retry-After").empty());
  CHECK_EQ(backend.seen_count(), 0);

  issuer.server().start();
  int status = 503;
  CHECK(wait_for([&] {
    status = status_of(gateway, "/s", key.token(kBody));
    return status != 503;
  }, Milliseconds(20'000)));
  CHECK_EQ(status, 200);
  CHECK_EQ(issuer.asked(), 1);

  gateway.write_rules(rules_with("  t: { match: /t, verify: " + verified("\"" + issuer.url() + "?slow\"") + ", routes: [{ to: erp }] }\n", backend));
  gateway.reload();
  REQUIRE(wait_for([&] { return status_of(gateway, "/s", "x") == 404; }));
  std::vector<Connection> waiting;
  for (int i = 0; i < 8; ++i) {
    waiting.emplace_back(gateway.address());
    CHECK(waiting.back().send(signed_request("/t", i == 7 ? "x.y.z" : key.token(kBody))));
  }
  for (size_t i = 0; i < waiting.size(); ++i) {
    const auto answer = waiting[i].read_answer();
    REQUIRE(answer.has_value());
    CHECK_EQ(answer->status, i == 7 ? 401 : 200);
  }
  CHECK_EQ(issuer.asked(), 2);
}

TEST_CASE("of_several_key_sets_one_that_is_down_decides_nothing_where_another_one_does") {
  const TempFolder folder;
  Backend backend(folder);
  Issuer up(folder, "up"), down(folder, "down");
  const Key known("one"), unknown("two");
  up.publish({&known});
  down.publish({&unknown});
  down.server().stop();
  const std::string sets = "[ " + verified("\"" + down.url() + "\"") + ", " + verified("\"" + up.url() + "\"") + " ]";
  Gateway gateway(folder, {.rules = rules_with("  either: { match: /either, verify: { any: " + sets + " }, routes: [{ to: erp }] }\n"
                                               "  both: { match: /both, verify: { all: " + sets + " }, routes: [{ to: erp }] }\n", backend),
                           .proxy = "  workers: 1\n"});
  CHECK_EQ(status_of(gateway, "/either", known.token(kBody)), 200);
  CHECK_EQ(status_of(gateway, "/either", known.token(kBody)), 200);
  CHECK_EQ(status_of(gateway, "/either", unknown.token(kBody)), 503);  // the one that is down may know it
  CHECK_EQ(status_of(gateway, "/both", known.token(kBody)), 503);
  CHECK_EQ(status_of(gateway, "/either", "not.a.token"), 401);
}

TEST_CASE("keys_stand_in_a_file_beside_the_rules_too_and_a_reload_reads_it_again") {
  const TempFolder folder;
  Backend backend(folder);
  const Key first("one"), second("two");
  folder.write("keys/partner.json", key_set({&first}));
  Gateway gateway(folder, {.rules = rules_with(authorised("erp", "keys/partner.json"), backend)});
  CHECK_EQ(status_of(gateway, "/erp", first.token(kBody)), 200);
  CHECK_EQ(status_of(gateway, "/erp", second.token(kBody)), 401);
  folder.write("keys/partner.json", key_set({&second}));
  gateway.reload();
  CHECK(wait_for([&] { return status_of(gateway, "/erp", second.token(kBody)) == 200; }));
  CHECK(wait_for([&] { return status_of(gateway, "/erp", first.token(kBody)) == 401; }));
}
