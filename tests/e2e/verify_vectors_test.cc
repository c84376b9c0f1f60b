// Every known answer as a raw request file through the real `belay verify`, handshakes included, and back through `belay sign`.
#include <doctest/doctest.h>

#include <ctime>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "json/document.h"
#include "support/backend.h"
#include "support/gateway.h"

using namespace belay;
using namespace belay::test;

namespace {

std::string text_of(const json::Document& json, json::Ref value) {
  std::string scratch;
  if (value == json::kNone) return {};
  return json.type(value) == json::Type::string ? std::string(json.string(value, scratch))
                                                : std::string(json.raw(value));
}

// The vector as it would have come over the wire.
std::string raw_request(const json::Document& json, json::Ref vector) {
  const std::string url = text_of(json, json.find(vector, "url")), body = text_of(json, json.find(vector, "body"));
  const size_t host = url.find("://") + 3, path = url.find('/', host);
  std::string out = text_of(json, json.find(vector, "method")) + " " + url.substr(path) +
                    " HTTP/1.1\r\nHost: " + url.substr(host, path - host) + "\r\n";
  const json::Ref headers = json.find(vector, "headers");
  for (json::Ref name = json.first(headers); name != json::kNone; name = json.next(headers, name)) {
    const json::Ref value = json::Document::value_of(name);
    const auto add = [&](json::Ref one) { out += text_of(json, name) + ": " + text_of(json, one) + "\r\n"; };
    if (json.type(value) != json::Type::array) {
      add(value);
      continue;
    }
    for (json::Ref one = json.first(value); one != json::kNone; one = json.next(value, one)) add(one);
  }
  return out + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// A text of the vector, or a document of it (a key set) as it stands.
using Named = std::map<std::string, std::string>;
Named params_of(const json::Document& json, json::Ref vector) {
  Named params;
  const json::Ref given = json.find(vector, "params");
  for (json::Ref name = given == json::kNone ? given : json.first(given); name != json::kNone; name = json.next(given, name))
    params[text_of(json, name)] = text_of(json, json::Document::value_of(name));
  return params;
}

// `belay verify` for a vector, its keys and settings as a user would give them.
std::vector<std::string> command_of(const json::Document& json, json::Ref vector, const TempFolder& folder) {
  const auto get = [&](const char* key) { return text_of(json, json.find(vector, key)); };
  const std::string preset = get("vendor");
  std::string secret = get("secret"), url = get("url");
  if (secret.empty() && get("reason") != "empty_secret") secret = "none that is used";
  // The preset says it: a secret beyond ASCII is pasted as NFKD.
  if (preset == "easypost") secret = "se\xCC\x81" "cret";
  std::vector<std::string> command = {belay_binary(), "verify", preset, "--now", get("now")};
  const auto add = [&](const std::string& flag, const std::string& value) { command.insert(command.end(), {flag, value}); };
  for (const auto& [name, value] : params_of(json, vector)) {
    if (name == "registered_url") {
      url = value;
    } else if (name == "secondary") {
      add("--secret", "secondary=" + value);
    } else if (name == "jwks" && preset == "plaid") {
      secret = value;
    } else if (name == "jwks") {
      add("--key-file", "https://www.googleapis.com/oauth2/v3/certs=" + folder.write("keys.json", value));
    } else if (name != "certificates") {
      add("--param", name + "=" + value);
    }
  }
  if (const json::Ref given = json.find(vector, "params"); given != json::kNone) {
    const json::Ref certificates = json.find(given, "certificates");
    for (json::Ref url_of = certificates == json::kNone ? certificates : json.first(certificates); url_of != json::kNone;
         url_of = json.next(certificates, url_of))
      add("--key-file", text_of(json, url_of) + "=" + folder.write("certificate.pem", text_of(json, json::Document::value_of(url_of))));
  }
  add("--secret", "signing=" + secret);
  add("--url", url);
  command.push_back(folder.write("request.http", raw_request(json, vector)));
  return command;
}

// What a handshake answered: the body on standard output, status and fields on standard error.
void check_answer(const json::Document& json, json::Ref expected, const Finished& finished) {
  CHECK_NE(finished.err.find("handshake: answered with " + text_of(json, json.find(expected, "status"))), std::string::npos);
  if (const json::Ref body = json.find(expected, "body"); body != json::kNone) CHECK_EQ(finished.out, text_of(json, body) + "\n");
  if (const json::Ref type = json.find(expected, "content_type"); type != json::kNone)
    CHECK_NE(finished.err.find("Content-Type: " + text_of(json, type)), std::string::npos);
  const json::Ref headers = json.find(expected, "headers"), object = json.find(expected, "json");
  for (json::Ref name = headers == json::kNone ? headers : json.first(headers); name != json::kNone; name = json.next(headers, name))
    CHECK_NE(finished.err.find(text_of(json, name) + ": " + text_of(json, json::Document::value_of(name))), std::string::npos);
  if (object == json::kNone) return;
  const auto answered = json::Document::parse(finished.out);
  REQUIRE(answered.ok());
  CHECK_EQ((*answered)->size((*answered)->root()), json.size(object));
  for (json::Ref name = json.first(object); name != json::kNone; name = json.next(object, name)) {
    const json::Ref found = (*answered)->find((*answered)->root(), text_of(json, name));
    REQUIRE_NE(found, json::kNone);
    CHECK_EQ((*answered)->raw(found), json.raw(json::Document::value_of(name)));
  }
}

}  // namespace

TEST_CASE("belay_verify_decides_every_vector_as_its_maker_says") {
  const TempFolder folder;
  const auto document = json::Document::parse_owned(*read_file(source_folder() + "/tests/data/signature-vectors.json"));
  REQUIRE(document.ok());
  const json::Document& json = **document;
  const json::Ref list = json.find(json.root(), "vectors");
  int valid_ones = 0, invalid_ones = 0;
  for (json::Ref vector = json.first(list); vector != json::kNone; vector = json.next(list, vector)) {
    const std::string name = text_of(json, json.find(vector, "name"));
    const bool valid = text_of(json, json.find(vector, "valid")) == "true";
    ++(valid ? valid_ones : invalid_ones);
    const Finished finished = run(command_of(json, vector, folder));
    INFO(name, ": ", finished.out, finished.err);
    CHECK_EQ(finished.code, valid ? 0 : 1);
    const json::Ref expected = json.find(vector, "expect_response");
    if (!valid) {
      CHECK(finished.out.empty());
      CHECK_NE(finished.err.find("belay verify: "), std::string::npos);
    } else if (expected != json::kNone) {
      check_answer(json, expected, finished);
    } else {
      CHECK_EQ(finished.out.substr(0, 7), "valid (");
    }
  }
  CHECK_EQ(valid_ones + invalid_ones, 268);
  CHECK_GT(valid_ones, 100);
  CHECK_GT(invalid_ones, 100);
}

TEST_CASE("verify_says_what_is_wrong_with_a_file_that_is_no_request") {
  const TempFolder folder;
  const auto verify = [&](const std::string& content) {
    return run({belay_binary(), "verify", "github", "--secret", "s", folder.write("request.http", content)});
  };
  const Finished lf_only = verify("POST / HTTP/1.1\nHost: a\nContent-Length: 0\n\n");
  CHECK_EQ(lf_only.code, 2);
  CHECK_NE(lf_only.err.find("CRLF"), std::string::npos);
  CHECK_EQ(verify("POST / HTTP/1.1\r\nHost: a\r\n\r\n{}").code, 2);
  CHECK_EQ(verify("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{}").code, 2);
  CHECK_EQ(verify("").code, 2);
  CHECK_EQ(run({belay_binary(), "verify", "githob", "--secret", "s", folder / "request.http"}).code, 2);
  CHECK_EQ(run({belay_binary(), "verify", "github", "--secret", "s", folder / "missing.http"}).code, 1);
}

namespace {

// What a preset's user would give belay sign: everything else is the preset's.
struct Given {
  std::string body;
  std::vector<std::string> flags = {};
};

std::string kind_of_key(const std::string& preset) {
  const Named kinds = {{"discord", "ed25519"}, {"telnyx", "ed25519"}, {"standard_webhooks_v1a", "ed25519"}, {"sendgrid", "p256"}, {"plaid", "p256"},
                       {"wise", "rsa"}, {"wechatpay", "rsa"}, {"alipay", "rsa"}, {"aws_sns", "rsa"}, {"paypal", "rsa"}, {"google_pubsub", "rsa"}};
  const auto found = kinds.find(preset);
  return found == kinds.end() ? "" : found->second;
}

// A private key in PEM, made by openssl: it stands wherever the public one does.
std::string make_key(const TempFolder& folder, const std::string& kind) {
  const std::string file = folder / (kind + ".pem");
  if (!read_text(file).empty()) return file;
  std::vector<std::string> command = {"openssl", "genpkey", "-out", file, "-algorithm"};
  if (kind == "ed25519") command.push_back("ED25519");
  if (kind == "p256") command.insert(command.end(), {"EC", "-pkeyopt", "ec_paramgen_curve:P-256"});
  if (kind == "rsa") command.insert(command.end(), {"RSA", "-pkeyopt", "rsa_keygen_bits:2048"});
  REQUIRE_EQ(run(command).code, 0);
  return file;
}

Given given_for(const std::string& preset, const TempFolder& folder) {
  const std::string seconds = std::to_string(time(nullptr));
  Given given{"{\"a\":1,\"encrypt\":\"e\",\"webhookTimestamp\":" + seconds + "000}"};
  const auto add = [&](const std::string& flag, const std::string& value) { given.flags.insert(given.flags.end(), {flag, value}); };
  const Named bodies = {
      {"mailgun", "{\"signature\":{\"timestamp\":\"" + seconds + "\",\"token\":\"t1\"},\"event-data\":{\"event\":\"opened\"}}"},
      {"dropbox_sign", R"({"event":{"event_time":"1","event_type":"signed"}})"},
      {"adyen", R"({"notificationItems":[{"NotificationRequestItem":{"pspReference":"p","amount":{"value":1,"currency":"EUR"},"eventCode":"A","success":"true"}},)"
                R"({"NotificationRequestItem":{"pspReference":"q","amount":{"value":10.50,"currency":"EUR"},"eventCode":"A","success":"true","additionalData":{"x":"y"}}}]})"},
      {"microsoft_graph", R"({"value":[{"id":"1"},{"id":"2","clientState":"old"}]})"},
      {"aws_sns", R"({"Type":"Notification","MessageId":"m","TopicArn":"arn:aws:sns:eu-west-1:1:t","Message":"hello","Timestamp":"2026-01-01T00:00:00Z","SignatureVersion":"2",)"
                  R"("SigningCertURL":"https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"})"},
      {"alipay", "notify_id=1&notify_type=trade&sign_type=RSA2&total=10%2B1"},
      {"braintree", "bt_payload=PGE1PC9hPg%3D%3D"},
      {"twilio", "From=%2B1&Body=a+b"},
      {"mandrill", "mandrill_events=%5B1%5D"},
  };
  if (const auto found = bodies.find(preset); found != bodies.end()) given.body = found->second;
  const std::string kind = kind_of_key(preset);
  const Named published = {{"aws_sns", "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"},
                           {"paypal", "https://api.paypal.com/v1/notifications/certs/a"},
                           {"google_pubsub", "https://www.googleapis.com/oauth2/v3/certs"}};
  const Named secrets = {{"onfleet", "00ff10"}, {"adyen_platform", "00ff10"}, {"adyen", "00ff10"}, {"squarespace", "00ff10"},
                         {"airtable", "c2VjcmV0"}, {"ms_teams", "c2VjcmV0"}};
  if (const auto found = published.find(preset); found != published.end()) {
    add("--key-file", found->second + "=" + make_key(folder, kind));
  } else if (!kind.empty()) {
    add("--secret", "signing=" + read_text(make_key(folder, kind)));
  } else {
    const auto secret = secrets.find(preset);
    add("--secret", "signing=" + (secret == secrets.end() ? "whsec_c2VjcmV0" : secret->second));
  }
  if (preset == "box") add("--secret", "secondary=s2");
  for (const char* param : {"app_key=k", "client_id=c", "key_id=1", "user=u", "serial=7", "api_key=a", "public_key=pk", "webhook_id=w", "topic_arn=arn:aws:sns:eu-west-1:1:t",
                            "audience=https://hooks.example.test", "service_account=s@example.test", "kid=1"})
    add("--param", param);
  return given;
}

std::vector<std::string> joined(std::vector<std::string> first, const std::vector<std::string>& then) {
  first.insert(first.end(), then.begin(), then.end());
  return first;
}

}  // namespace

TEST_CASE("what_belay_sign_makes_belay_verify_accepts_for_every_preset") {
  const TempFolder folder;
  int signed_ones = 0;
  for (const auto& entry : std::filesystem::directory_iterator(source_folder() + "/conf/presets")) {
    const std::string preset = entry.path().stem().string(), url = "https://hooks.example.test/in/" + preset + "?timestamp=1&nonce=2";
    if (read_text(entry.path().string()).find("\nverify:") == std::string::npos) continue;
    INFO(preset);
    const Given given = given_for(preset, folder);
    std::vector<std::string> sign = joined({belay_binary(), "sign", preset, "--request", "--url", url}, given.flags);
    if (preset == "contentful") sign = joined(sign, {"--header", "X-Contentful-Signed-Headers: x-contentful-signed-headers,x-contentful-timestamp"});
    if (preset == "paypal") sign = joined(sign, {"--header", "PAYPAL-CERT-URL: https://api.paypal.com/v1/notifications/certs/a"});
    sign.push_back(folder.write("body", given.body));
    const Finished made = run(sign);
    INFO(made.err);
    if (preset == "ebay") {  // its signature is packed into a header that only eBay writes
      CHECK_EQ(made.code, 1);
      continue;
    }
    REQUIRE_EQ(made.code, 0);
    const auto verify = [&](const std::string& request) {
      return run(joined(joined({belay_binary(), "verify", preset, "--url", url}, given.flags), {folder.write("request.http", request)}));
    };
    const Finished right = verify(made.out);
    INFO(right.out, right.err);
    REQUIRE_EQ(right.code, 0);
    ++signed_ones;
    if (right.out.starts_with("valid (token")) continue;
    // Its body is signed: one digit of it makes another.
    std::string changed = made.out;
    const size_t body = changed.find("\r\n\r\n"), digit = changed.find('1', body);
    REQUIRE_NE(digit, std::string::npos);
    changed[digit] = '2';
    CHECK_EQ(verify(changed).code, 1);
  }
  CHECK_GE(signed_ones, 122);
}

TEST_CASE("what_belay_send_sends_a_gateway_with_the_preset_takes_wherever_its_proof_stands") {
  const TempFolder folder;
  Backend backend(folder);
  const std::vector<std::string> presets = {"stripe", "twilio", "trello", "hubspot", "pandadoc", "jira_connect", "netx", "adyen", "braintree"};
  std::string sources;
  for (const std::string& preset : presets) {
    sources += "  " + preset + ": { match: /webhooks/" + preset + ", preset: " + preset + ", params: { public_key: pk }, secrets: { signing: \"" +
               (preset == "adyen" ? "00ff10" : "whsec_c2VjcmV0") + "\" }, routes: [{ to: backend }] }\n";
  }
  const Gateway gateway(folder, {.rules = "sources:\n" + sources + "destinations:\n  backend: { url: \"http://" + backend.address() + "\" }\n"});
  for (const std::string& preset : presets) {
    INFO(preset);
    const Given given = given_for(preset, folder);
    const auto send = [&](const std::vector<std::string>& flags) {
      return run(joined(joined({belay_binary(), "send", preset, "--to", "http://" + gateway.address() + "/webhooks/" + preset + "?x=1"}, flags),
                        {folder.write("body", given.body)}));
    };
    const Finished sent = send(given.flags);
    INFO(sent.out, sent.err);
    CHECK_EQ(sent.code, 0);
    CHECK_EQ(send({"--param", "public_key=pk", "--secret", preset == "adyen" ? "00ff11" : "another"}).code, 1);
  }
  CHECK_EQ(backend.seen_count(), presets.size());
}

TEST_CASE("belay_sign_prints_fields_alone_unless_the_whole_request_is_wanted") {
  const TempFolder folder;
  const std::string file = folder.write("body.json", "{\"a\":1}");
  const auto sign = [&](const std::string& preset) { return run({belay_binary(), "sign", preset, "--secret", "s", file}); };
  CHECK(sign("github").out.starts_with("X-Hub-Signature-256: sha256="));
  CHECK(sign("pandadoc").out.starts_with("?signature="));
  const Finished netx = sign("netx");
  CHECK_EQ(netx.code, 0);
  CHECK(netx.out.empty());
  CHECK_NE(netx.err.find("--request"), std::string::npos);
  const Finished whole = run({belay_binary(), "sign", "netx", "--secret", "s", "--request", file});
  CHECK(whole.out.ends_with("\r\n\r\n{\"a\":1,\"token\":\"s\"}"));
}
