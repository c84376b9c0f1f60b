// Secrets planted everywhere a configuration or a request can hold one; then everything Belay says, on every way out and along every
// failure, is searched for them: as they are, cut in half, in hex and in base64.
#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "support/backend.h"
#include "support/gateway.h"

using namespace belay;
using namespace belay::test;

namespace {

constexpr size_t kHalf = 14;

// Two halves of hex digits with a sign between them that URLs write otherwise.
std::string planted(const std::string& name) {
  const std::string hash = sha256_hex("planted " + name);
  return hash.substr(0, kHalf) + "+" + hash.substr(kHalf, kHalf);
}

// How a half may show. In base64: what does not depend on the bytes around it, at each of the three places.
std::vector<std::string> forms_of(const std::string& half) {
  std::vector<std::string> forms{ascii_lower(half), hex_encode(half)};
  for (size_t before = 0; before < 3; ++before) forms.push_back(ascii_lower(base64_encode(std::string(before, 'x') + half).substr(before == 0 ? 0 : 4, 12)));
  return forms;
}

bool betrays(const std::string& text, const std::string& secret) {
  const std::string lower = ascii_lower(text);
  for (const std::string& half : {secret.substr(0, kHalf), secret.substr(kHalf + 1)}) {
    for (const std::string& form : forms_of(half)) {
      if (lower.find(form) != std::string::npos) return true;
    }
  }
  return false;
}

// What Belay said, by where it said it.
class Said {
 public:
  void add(const std::string& where, const std::string& text) { texts_.emplace_back(where, text); }
  void add(const std::string& where, const Finished& done) { add(where, done.out + "\n" + done.err); }
  void add(const std::string& where, const std::optional<Answer>& answer) {
    REQUIRE_MESSAGE(answer.has_value(), where);
    add(where, answer->head + "\n" + answer->body);
  }
  void must_not_betray(const std::vector<std::string>& names) const {
    for (const auto& said : texts_) {
      for (const std::string& name : names) CHECK_MESSAGE(!betrays(said.second, planted(name)), said.first, " betrays ", name, ":\n", said.second.substr(0, 3000));
    }
  }

 private:
  std::vector<std::pair<std::string, std::string>> texts_;
};

// Keys: known to both sides and never sent. Shown: what senders show. Sent: what backends get. Strange: of those who are refused.
const std::vector<std::string> kKeys{"env", "file", "literal", "rotated", "jwt", "keyed", "admin", "client", "client in form", "sign"};
const std::vector<std::string> kShown{"bearer", "basic", "header", "query", "agreed", "equal", "any", "in body", "in item", "in form"};
const std::vector<std::string> kSent{"to bearer", "to basic", "to header", "to set", "to url", "access"};
const std::vector<std::string> kStrange{"strange token", "strange query", "strange signature", "strange admin"};

std::vector<std::string> all_of_them() {
  std::vector<std::string> all = kKeys;
  for (const auto* more : {&kShown, &kSent, &kStrange}) all.insert(all.end(), more->begin(), more->end());
  return all;
}

std::string q(const std::string& name) { return "\"" + planted(name) + "\""; }
std::string in_url(const std::string& name) { return planted(name).replace(kHalf, 1, "%2B"); }

std::string sources() {
  const std::string to_crm = ", routes: [{ to: crm }] }\n";
  return "sources:\n"
         "  signed: { match: { path: /signed }, secrets: { hooks: [\"${env:PLANTED}\", \"${file:planted}\", " + q("literal") + ", { value: " + q("rotated") +
         ", valid_until: 2020-01-01T00:00:00Z }] }, reject: { quarantine: [verify] },\n"
         "    verify: { algorithm: hmac-sha256, signature: { header: X-Signature }, key: hooks }" + to_crm +
         "  bearer: { match: { path: /bearer }, auth: { bearer: " + q("bearer") + " }, mode: spool, routes: [{ to: [basic, form] }] }\n"
         "  basic: { match: { path: /basic }, auth: { basic: { user: acme, password: " + q("basic") + " } }" + to_crm +
         "  header: { match: { path: /header }, auth: { header: { X-Legacy: " + q("header") + " } }, mode: spool, routes: [{ to: headers }] }\n"
         "  query: { match: { path: /query }, auth: { query: { k: " + q("query") + " } }, mode: spool, routes: [{ to: idle }] }\n"
         "  jwt: { match: { path: /jwt }, auth: { jwt: { secret: " + q("jwt") + ", algorithms: [HS256] } }" + to_crm +
         "  any:\n    match: { path: /any }\n    auth:\n      any:\n        - bearer: " + planted("any") + "\n        - tls: { subject: CN=erp }\n"
         "    routes: [{ to: oauth }]\n"
         "  agreed: { match: { path: /agreed, methods: [GET, POST] }, secrets: { agreed: " + q("agreed") + ", signing: " + q("keyed") + " },\n"
         "    verify: { algorithm: hmac-sha256, signature: { header: X-Signature } },\n"
         "    handshake: { verified: false, when: '$method == \"GET\" && sha256($query[\"verify_token\"]) == sha256($secret.agreed)', token: '$query[\"c\"]',"
         " respond: { body: '{{ $query[\"c\"] }}' } }" + to_crm +
         "  equal: { match: { path: /equal }, secrets: { signing: " + q("equal") + " }, verify: { algorithm: equal, signature: { header: X-Gitlab-Token } }" + to_crm +
         "  keyed: { match: { path: /keyed }, secrets: { signing: " + q("keyed") + " },\n"
         "    verify: { algorithm: sha256, over: '{{ $secret.signing }}{{ $raw }}', signature: { header: X-Signature } }" + to_crm +
         "  body: { match: { path: /body }, preset: netx, secrets: { signing: " + q("in body") + " }, mode: spool,\n"
         "    routes: [{ transform: { edit: { set: { copy: '{{ token }}' }, remove: [token] }, headers: { set: { X-Copy: '{{ token }}' } } }, to: idle }] }\n"
         "  item: { match: { path: /item }, preset: microsoft_graph, secrets: { signing: " + q("in item") + " }, mode: spool, routes: [{ to: idle }] }\n"
         "  form: { match: { path: /form }, secrets: { signing: " + q("in form") + " }, verify: { algorithm: equal, signature: { form: key } }, mode: spool, routes: [{ to: idle }] }\n";
}

struct Backends {
  explicit Backends(const TempFolder& folder) : crm(folder, "crm"), tokens(folder, "tokens"), refusing(folder, "refusing") {
    const auto answer = [&](const std::string& name, const std::string& status, const std::string& body) {
      return "raw " + folder.write(name, "HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " +
                                             std::to_string(body.size()) + "\r\n\r\n" + body);
    };
    tokens.mode(answer("token.http", "200 OK", "{\"access_token\":" + q("access") + ",\"token_type\":\"Bearer\"}"));
    // An issuer that repeats what it was given, also where its error code should be.
    refusing.mode(answer("refusal.http", "400 Bad Request", "{\"error\":\"invalid_client\",\"error_description\":\"not " + planted("client in form") + "\"}"));
  }
  Backend crm, tokens, refusing;
};

std::string destinations(const Backends& backends) {
  const std::string url = "http://" + backends.crm.address();
  return "destinations:\n"
         "  crm: { url: \"" + url + "/crm?code=" + in_url("to url") + "\", auth: { bearer: " + q("to bearer") +
         " }, sign: { preset: standard_webhooks, secret: \"${env:SIGNING}\" } }\n"
         "  basic: { url: \"" + url + "/basic\", auth: { basic: { user: belay, password: " + q("to basic") + " } } }\n"
         "  headers: { url: \"" + url + "/headers\", auth: { header: { X-Crm: " + q("to header") + " } }, headers: { set: { X-Ref: \"${env:REFERENCE}\" } } }\n"
         "  idle: { url: \"http://127.0.0.1:1/idle?key=" + in_url("to url") + "\" }\n"
         "  oauth: { url: \"" + url + "/oauth\", auth: { oauth2: { token_url: \"http://" + backends.tokens.address() + "/token?k=" + in_url("to url") +
         "\", client_id: belay, client_secret: " + q("client") + " } } }\n"
         "  form: { url: \"" + url + "/form\", auth: { oauth2: { token_url: \"http://" + backends.refusing.address() + "/token?k=" + in_url("to url") +
         "\", client_id: belay, client_secret: " + q("client in form") + ", auth: post } } }\n";
}

void plant(const TempFolder& folder) {
  setenv("PLANTED", planted("env").c_str(), 1);
  setenv("SIGNING", ("whsec_" + planted("sign") + "AAA").c_str(), 1);
  setenv("REFERENCE", planted("to set").c_str(), 1);
  folder.write("planted", planted("file") + "\n");
  folder.write("admin-token", planted("admin") + "\n");
}

std::string unpadded(std::string base64) {
  while (base64.ends_with('=')) base64.pop_back();
  for (char& c : base64) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return base64;
}

std::string token_of(const std::string& key) {
  const std::string text = unpadded(base64_encode(R"({"alg":"HS256"})")) + "." + unpadded(base64_encode(R"({"sub":"erp","exp":4102444800})"));
  return text + "." + unpadded(base64_encode(*hex_decode(hmac_sha256_hex(key, text))));
}

// One that is let in for every source, by name; the file is what `belay explain` reads.
std::vector<std::pair<std::string, std::string>> right_requests() {
  const std::string body = "{\"n\":1}";
  const auto post = [&](const std::string& target, const Headers& headers) { return request("POST", target, headers, body); };
  return {{"signed", post("/signed", {{"X-Signature", hmac_sha256_hex(planted("file"), body)}})},
          {"bearer", post("/bearer", {{"Authorization", "Bearer " + planted("bearer")}})},
          {"basic", post("/basic", {{"Authorization", "Basic " + base64_encode("acme:" + planted("basic"))}})},
          {"header", post("/header", {{"X-Legacy", planted("header")}})},
          {"query", post("/query?k=" + in_url("query"), {})},
          {"jwt", post("/jwt", {{"Authorization", "Bearer " + token_of(planted("jwt"))}})},
          {"any", post("/any", {{"Authorization", "Bearer " + planted("any")}})},
          {"agreed", request("GET", "/agreed?verify_token=" + in_url("agreed") + "&c=welcome", {}, "")},
          {"equal", post("/equal", {{"X-Gitlab-Token", planted("equal")}})},
          {"keyed", post("/keyed", {{"X-Signature", sha256_hex(planted("keyed") + body)}})},
          {"body", request("POST", "/body", {{"Content-Type", "application/json"}}, "{\"n\":1,\"token\":" + q("in body") + "}")},
          {"item", request("POST", "/item", {{"Content-Type", "application/json"}}, "{\"value\":[{\"clientState\":" + q("in item") + "}]}")},
          {"form", request("POST", "/form", {{"Content-Type", "application/x-www-form-urlencoded"}}, "n=1&key=" + in_url("in form"))}};
}

std::vector<std::pair<std::string, std::string>> wrong_requests() {
  const Headers all{{"Authorization", "Bearer " + planted("strange token")}, {"X-Signature", planted("strange signature")}, {"X-Legacy", planted("strange token")},
                    {"X-Gitlab-Token", planted("strange token")}, {"Cookie", "session=" + planted("strange token")}};
  std::vector<std::pair<std::string, std::string>> made;
  for (const auto& [name, bytes] : right_requests()) {
    const std::string target = "/" + name + "?k=" + in_url("strange query") + "&verify_token=" + in_url("strange query");
    made.emplace_back(name + " refused", request("POST", target, all, "{}"));
  }
  const std::string basic = base64_encode("acme:" + planted("strange token"));
  made.emplace_back("basic with another password", request("POST", "/basic", {{"Authorization", "Basic " + basic}}, "{}"));
  made.emplace_back("jwt with another key", request("POST", "/jwt", {{"Authorization", "Bearer " + token_of(planted("strange token"))}}, "{}"));
  made.emplace_back("nowhere", request("POST", "/nowhere?k=" + in_url("strange query"), all, "{}"));
  made.emplace_back("a head that is none", "POST /signed?k=" + in_url("strange query") + " HTTP/1.1\r\nHost: x\r\nAuthorization " + planted("strange token") + "\r\n\r\n");
  made.emplace_back("a header that is too large", request("POST", "/bearer", {{"Authorization", "Bearer " + planted("strange token") + std::string(70'000, 'x')}}, ""));
  return made;
}

size_t count_of(const std::string& text, const std::string& piece) {
  size_t count = 0;
  for (size_t at = text.find(piece); at != std::string::npos; at = text.find(piece, at + 1)) ++count;
  return count;
}

std::optional<Answer> ask(const Gateway& gateway, const std::string& path, const std::string& token, const std::string& method = "GET") {
  Headers headers;
  if (!token.empty()) headers.emplace_back("Authorization", "Bearer " + token);
  return send_once(gateway.admin().substr(7), request(method, path, headers, method == "GET" ? "" : "{\"ids\":[]}"));
}

std::vector<std::string> ids_in(const std::string& text) {
  std::vector<std::string> ids;
  for (size_t at = text.find("\"id\":\""); at != std::string::npos; at = text.find("\"id\":\"", at + 1)) ids.push_back(text.substr(at + 6, 36));
  return ids;
}

const std::vector<std::string> kCalls{"/health", "/metrics", "/v1/stats", "/v1/events?limit=1000", "/v1/openapi.json", "/v1/audit", "/v1/replay", "/v1/nothing?token=x"};

void add_commands(Said& said, const Gateway& gateway) {
  const std::vector<std::vector<std::string>> commands{
      {"check"}, {"check", "--print"}, {"check", "--strict-secrets"}, {"events"}, {"events", "--json"}, {"stats"}, {"stats", "--json"}, {"rehearse"}, {"rehearse", "--json"},
      {"replay", "--all", "--dry-run", "--json"}, {"events", "--token", planted("strange admin")}};
  for (const auto& command : commands) said.add("belay " + command.front() + " " + command.back(), gateway.belay(command));
  said.add("belay openapi", run({belay_binary(), "openapi", "-c", gateway.main_file()}));
}

// It shows the request that it was given, without what the rules or the names of fields call a credential.
void add_explained(Said& said, const Gateway& gateway, const TempFolder& folder, const std::vector<std::pair<std::string, std::string>>& requests) {
  for (const auto& [name, bytes] : requests) {
    const std::string file = folder.write("request.http", bytes);
    for (const char* how : {"--json", "--unsigned", "--client=127.0.0.2"}) said.add("belay explain " + std::string(how) + " of " + name, gateway.belay({"explain", how, file}));
  }
}

}  // namespace

TEST_CASE("the_search_for_a_secret_finds_it_however_it_is_written") {
  const std::string secret = planted("this one");
  for (const std::string& text : {secret, "a" + secret + "b", secret.substr(0, kHalf), "..." + secret.substr(kHalf + 1), in_url("this one"), hex_encode(secret),
                                  base64_encode(secret), base64_encode("u:" + secret), base64_encode("us:" + secret), base64_encode("use:" + secret)}) {
    CHECK_MESSAGE(betrays("text " + text + " text", secret), text);
  }
  CHECK_FALSE(betrays(planted("another") + sha256_hex(secret) + hmac_sha256_hex(secret, secret), secret));
}

TEST_CASE("no_secret_is_said_in_answers_logs_metrics_listings_and_the_output_of_commands") {
  const TempFolder folder;
  Backends backends(folder);
  plant(folder);
  Gateway gateway(folder, {.rules = sources() + destinations(backends), .main = "log: { level: debug }\n", .admin_token = "\"${file:admin-token}\""});
  Said said;
  for (const auto& [name, bytes] : right_requests()) {
    const auto answer = send_once(gateway.address(), bytes);
    REQUIRE(answer.has_value());
    INFO(answer->head, answer->body);
    CHECK_EQ(answer->status / 100, 2);
    said.add("the answer to " + name, answer);
  }
  for (const auto& [name, bytes] : wrong_requests()) {
    const auto answer = send_once(gateway.address(), bytes);
    const std::string head = answer ? answer->head : "no answer";
    INFO(head);
    CHECK((!answer || answer->status / 100 == 4));
    if (answer) said.add("the answer to " + name, answer);
  }
  // They are what the backends get: else nothing is shown here.
  const auto arrived = [&](const std::string& name) {
    for (const Seen& seen : backends.crm.seen()) {
      if (betrays(seen.head, planted(name))) return true;
    }
    return false;
  };
  for (const std::string& name : kSent) CHECK_MESSAGE(wait_for([&] { return arrived(name); }), name);
  REQUIRE(wait_for([&] { return backends.refusing.seen_count() > 0; }));
  REQUIRE(betrays(backends.refusing.seen().front().body, planted("client in form")));

  // A backend that is away, then one that fails.
  backends.crm.mode("status 500");
  for (const auto& [name, bytes] : right_requests()) said.add("the answer to " + name + " while the backend fails", send_once(gateway.address(), bytes));
  backends.crm.stop();
  for (const auto& [name, bytes] : right_requests()) said.add("the answer to " + name + " without a backend", send_once(gateway.address(), bytes));
  const std::string failures = "no access token";
  REQUIRE(wait_for([&] { return gateway.log().find(failures) != std::string::npos; }));

  for (const std::string& path : kCalls) {
    for (const std::string& token : {planted("admin"), planted("strange admin"), std::string()}) said.add("GET " + path, ask(gateway, path, token));
    said.add("POST " + path, ask(gateway, path, planted("admin"), "POST"));
  }
  add_commands(said, gateway);
  add_explained(said, gateway, folder, right_requests());
  Said refused;  // shows what strangers sent in places that nobody named
  add_explained(refused, gateway, folder, wrong_requests());
  for (const auto* names : {&kKeys, &kShown, &kSent}) refused.must_not_betray(*names);

  // What is stored is the sender's webhook as it came: shown whole to those who may ask, with nothing of ours in it.
  Said stored;
  bool seen_token = false;
  const auto ids = ids_in(ask(gateway, "/v1/events?limit=1000", planted("admin"))->body);
  REQUIRE_GT(ids.size(), 20);
  for (const std::string& id : ids) {
    const auto raw = ask(gateway, "/v1/messages/" + id + "/raw", planted("admin"));
    stored.add("a stored request", raw);
    stored.add("a message", ask(gateway, "/v1/messages/" + id, planted("admin")));
    if (!raw || !betrays(raw->body, planted("bearer"))) continue;
    seen_token = true;
    said.add("belay show", gateway.belay({"show", id}));
    said.add("belay explain of a stored one", gateway.belay({"explain", id}));
    CHECK(betrays(gateway.belay({"show", "--raw", id}).out, planted("bearer")));
  }
  CHECK(seen_token);
  gateway.stop();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(gateway.state())) {
    if (entry.is_regular_file()) stored.add("the file " + entry.path().filename().string(), read_text(entry.path().string()));
  }
  stored.must_not_betray(kKeys);
  stored.must_not_betray(kSent);
  said.add("the log", gateway.log());
  said.add("the access log", gateway.access_log());
  REQUIRE_GT(gateway.access_log().size(), 1000);
  said.must_not_betray(all_of_them());
}

TEST_CASE("no_problem_of_a_configuration_shows_a_secret_that_stands_near_it") {
  const TempFolder folder;
  Backends backends(folder);
  plant(folder);
  const std::string rules = sources() + destinations(backends);
  Gateway gateway(folder, {.rules = rules, .main = "log: { level: debug }\n", .admin_token = "\"${file:admin-token}\""});
  Said said;
  size_t refused = 0;
  const auto try_out = [&](const std::string& what, const std::string& text) {
    gateway.write_rules(text);
    const Finished checked = gateway.belay({"check"});
    CHECK_MESSAGE(checked.code == 1, what);
    said.add("belay check with " + what, checked);
    said.add("belay explain with " + what, gateway.belay({"explain", folder.write("one.http", right_requests().front().second)}));
    gateway.reload();
    const size_t expected = ++refused;
    CHECK(wait_for([&] { return count_of(gateway.log(), "reload refused") >= expected; }));
  };
  // A mistake in every line, and one behind every secret.
  const auto lines = split(rules, '\n');
  std::vector<std::pair<std::string, std::string>> mistakes{{"{ match:", "{ mtch:"}, {"auth: {", "auth: { bogus: 1,"}, {"secrets: {", "secrets: { gone: \"${env:GONE}\","}, {"algorithm: ", "algorithm: no-"},
                                                            {"bearer: ", "baerer: "}, {"password: ", "pasword: "}, {"header: {", "headr: {"}, {"query: {", "qury: {"}, {"jwt: {", "jwtt: {"}, {"client_secret: ", "client_secrt: "},
                                                            {"secret: ", "secrt: "}, {"url: \"http://", "url: \"http://user:" + planted("strange token") + "@"}, {"url: \"http://", "url: \"htp://"}, {"?code=", "#?code="},
                                                            {"- bearer", "- [bearer"}, {"any:\n", "any\n"}, {" }, reject", ", reject"}, {"\"${env:PLANTED}\"", "\"${env:PLANTED\""}, {"{ url:", "{ url"}};
  for (const auto& [from, to] : mistakes) {
    std::string text = rules;
    size_t count = 0;
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
      text.replace(at, from.size(), to);
      ++count;
    }
    REQUIRE_GT(count, 0);
    try_out(to, text);
  }
  for (const std::string& name : all_of_them()) {
    const size_t at = rules.find(planted(name));
    if (at == std::string::npos) continue;
    const size_t end = at + planted(name).size();
    const bool quoted = rules[end] == '"';
    try_out("a quote that is missing behind " + name, quoted ? rules.substr(0, end) + rules.substr(end + 1) : rules.substr(0, end) + ": x" + rules.substr(end));
  }
  gateway.write_rules(rules);
  gateway.stop();
  said.add("the log", gateway.log());
  said.must_not_betray(all_of_them());
}

TEST_CASE("no_part_of_a_tls_key_is_said_when_it_is_used_or_refused") {
  const TempFolder folder;
  const std::string certificate = folder / "chain.pem", key = folder / "key.pem";
  REQUIRE_EQ(run({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=hooks"}).code, 0);
  const std::string pem = read_text(key);
  const std::string line(split(pem, '\n')[5]);
  REQUIRE_EQ(line.size(), 64);
  const int port = free_port();
  Gateway gateway(folder, {.rules = "sources: { a: { match: /a, trust: open, routes: [{ to: b }] } }\ndestinations: { b: { url: \"http://127.0.0.1:1\" } }\n",
                           .listen = "    - { address: \"127.0.0.1:" + std::to_string(port) + "\", tls: { certificate: " + certificate + ", key: " + key + " } }\n",
                           .main = "log: { level: debug }\n"});
  std::string said = gateway.belay({"check", "--print"}).out + gateway.belay({"check"}).err;
  said += run({"sh", "-c", "openssl s_client -connect 127.0.0.1:" + std::to_string(port) + " </dev/null 2>&1"}).out;
  for (const std::string& broken : {pem.substr(0, pem.size() / 2), pem.substr(40), "-----BEGIN ENCRYPTED" + pem.substr(10)}) {
    std::ofstream(key) << broken;
    const Finished checked = run({belay_binary(), "run", "-c", gateway.main_file(), "--state", folder / "other"});
    CHECK_EQ(checked.code, 1);
    said += checked.out + checked.err;
  }
  std::ofstream(key) << pem;
  gateway.stop();
  said += gateway.log() + gateway.access_log();
  for (const std::string& form : {line.substr(0, 20), line.substr(22, 20), line.substr(44)}) CHECK_EQ(said.find(form), std::string::npos);
}
