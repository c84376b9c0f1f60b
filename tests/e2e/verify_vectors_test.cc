// Every vector of the shipped presets as a raw request file through the real `belay verify`.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "json/document.h"
#include "support/process.h"

using namespace belay;
using namespace belay::test;

namespace {

const std::vector<std::string> kPresets = {
    "netsuite",      "acumatica", "netx",   "nue",   "bigledger_apikey", "bigledger_bearer",
    "bigledger_jwt", "github",    "stripe", "slack", "shopify",          "standard_webhooks"};

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

}  // namespace

TEST_CASE("belay_verify_decides_every_vector_as_its_maker_says") {
  const TempFolder folder;
  const auto document = json::Document::parse_owned(*read_file(source_folder() + "/tests/data/signature-vectors.json"));
  REQUIRE(document.ok());
  const json::Document& json = **document;
  const json::Ref list = json.find(json.root(), "vectors");
  int checked = 0;
  for (json::Ref vector = json.first(list); vector != json::kNone; vector = json.next(list, vector)) {
    const auto get = [&](const char* key) { return text_of(json, json.find(vector, key)); };
    const std::string preset = get("vendor"), name = get("name");
    if (std::find(kPresets.begin(), kPresets.end(), preset) == kPresets.end()) continue;
    const std::string file = folder.write(name + ".http", raw_request(json, vector));
    const Finished finished = run(
        {belay_binary(), "verify", preset, "--secret", get("secret"), "--now", get("now"), "--url", get("url"), file});
    INFO(name, ": ", finished.out, finished.err);
    CHECK_EQ(finished.code, get("valid") == "true" ? 0 : 1);
    if (finished.code == 1) CHECK_FALSE(finished.err.empty());
    if (const json::Ref expected = json.find(vector, "expect_response"); expected != json::kNone) {
      CHECK_EQ(finished.out, text_of(json, json.find(expected, "body")) + "\n");
    }
    ++checked;
  }
  CHECK_EQ(checked, 72);
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
