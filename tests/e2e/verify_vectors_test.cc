// Every known answer as a raw request file through the real `belay verify`, handshakes included, and back through `belay sign`.
#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "json/document.h"
#include "support/process.h"

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

TEST_CASE("what_belay_sign_prints_belay_verify_accepts") {
  const TempFolder folder;
  const std::string body = "{\"a\":1}";
  const std::string file = folder.write("body.json", body);
  for (const std::string preset : {"netsuite", "stripe", "slack", "standard_webhooks", "bigledger_jwt", "bigledger"}) {
    INFO(preset);
    const Finished signed_with = run({belay_binary(), "sign", preset, "--secret", "whsec_c2VjcmV0", file});
    REQUIRE_EQ(signed_with.code, 0);
    std::string head;
    for (const char c : signed_with.out) head += c == '\n' ? std::string("\r\n") : std::string(1, c);
    const std::string request =
        folder.write("signed.http", "POST / HTTP/1.1\r\nHost: a\r\n" + head + "Content-Length: 7\r\n\r\n" + body);
    CHECK_EQ(run({belay_binary(), "verify", preset, "--secret", "whsec_c2VjcmV0", request}).code, 0);
    CHECK_EQ(run({belay_binary(), "verify", preset, "--secret", "whsec_b3RoZXI=", request}).code, 1);
  }
}
