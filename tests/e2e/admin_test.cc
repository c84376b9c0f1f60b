// The admin API of a running gateway: who may call what, what wrong parameters are told, the streaming tail over a killed spool, and
// metrics, alert rules and dashboard that agree.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <string>

#include "json/document.h"
#include "support/backend.h"
#include "support/gateway.h"

using namespace belay::test;
namespace json = belay::json;

namespace {

const char* const kReads = "reads-only";
const char* const kOperates = "operates-too";

std::string rules(const Backend& backend, const std::string& destination = {}) {
  return "sources:\n  now:   { match: { path: /now }, trust: open, routes: [{ to: crm }] }\n"
         "  later: { match: { path: /later }, trust: open, mode: spool, dedupe: { window: 1h }, routes: [{ to: crm }] }\n"
         "  signed: { match: { path: /signed }, verify: { algorithm: hmac-sha256, signature: { header: X-Signature }, key: { secret: signing } }, secrets: { signing: s }, routes: [{ to: crm }] }\n"
         "destinations:\n  crm: { url: \"http://" + backend.address() + "\"" + destination + " }\n"
         "  ops: { url: \"http://" + backend.address() + "/alerts\" }\n";
}

// The gateway's own admin section, with two tokens of known value besides its own.
GatewayOptions options(const Backend& backend, const std::string& destination = {}) {
  return {.rules = rules(backend, destination),
          .main = "alerts: { to: ops, destination_down: 1s, suppress: 1h }\n",
          .admin = "tokens: { dashboard: { token: " + std::string(kReads) + " }, tools: { token: " + kOperates + ", role: operate } }"};
}

Answer ask(const Gateway& gateway, const std::string& token, const std::string& method, const std::string& target, const std::string& body = {}) {
  Headers headers;
  if (!token.empty()) headers.emplace_back("Authorization", "Bearer " + token);
  const auto answer = send_once(gateway.admin().substr(7), request(method, target, headers, body));
  REQUIRE(answer);
  return *answer;
}

int send(const Gateway& gateway, const std::string& path, const std::string& body = "{\"a\":1}") {
  const auto answer = send_once(gateway.address(), request("POST", path, {{"Content-Type", "application/json"}}, body));
  return answer ? answer->status : 0;
}

// Every path and method that the gateway describes, with places filled in.
std::vector<std::pair<std::string, std::string>> described(const Gateway& gateway) {
  const Answer answer = ask(gateway, kReads, "GET", "/v1/openapi.json");
  REQUIRE_EQ(answer.status, 200);
  const auto document = json::Document::parse(answer.body);
  REQUIRE(document.ok());
  std::vector<std::pair<std::string, std::string>> calls;
  const json::Ref paths = (*document)->find((*document)->root(), "paths");
  std::string scratch;
  for (json::Ref name = (*document)->first(paths); name != json::kNone; name = (*document)->next(paths, name)) {
    std::string path((*document)->string(name, scratch));
    const std::pair<const char*, const char*> places[] = {{"{id}", "0199a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b"}, {"{name}", "crm"}, {"{number}", "1"}};
    for (const auto& [place, value] : places) {
      if (const size_t at = path.find(place); at != std::string::npos) path.replace(at, std::string(place).size(), value);
    }
    const json::Ref item = json::Document::value_of(name);
    for (json::Ref method = (*document)->first(item); method != json::kNone; method = (*document)->next(item, method)) {
      std::string word((*document)->string(method, scratch));
      std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
      calls.emplace_back(word, path);
    }
  }
  return calls;
}

std::string bodies_of(const Backend& backend) {
  std::string all;
  for (const Seen& seen : backend.seen()) all += seen.body + "\n";
  return all;
}

bool says_error(const Answer& answer) {
  const auto document = json::Document::parse(answer.body);
  return document.ok() && (*document)->find((*document)->root(), "error") != json::kNone;
}

}  // namespace

TEST_CASE("every_described_path_is_closed_without_a_token_and_by_its_role_with_one") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, options(backend));
  const auto calls = described(gateway);
  CHECK(calls.size() >= 10);
  size_t operating = 0;
  for (const auto& call : calls) {
    const std::string method(call.first), path(call.second);
    CAPTURE(path);
    if (path == "/health") {
      CHECK_EQ(ask(gateway, "", method, path).status, 200);
      continue;
    }
    for (const char* token : {"", "wrong", "reads-onl", "reads-only2"}) {
      const Answer refused = ask(gateway, token, method, path);
      CHECK_EQ(refused.status, 401);
      CHECK(says_error(refused));
      CHECK_EQ(refused.field("www-authenticate"), "Bearer realm=\"belay\"");
    }
    if (path == "/v1/events/stream") continue;  // its answer has no end
    const Answer read = ask(gateway, kReads, method, path);
    CHECK((method == "GET") == (read.status != 403));
    if (read.status == 403) ++operating;
    CHECK_NE(ask(gateway, kOperates, method, path).status, 403);
    CHECK_NE(ask(gateway, kOperates, method, path).status, 401);
  }
  CHECK(operating >= 5);
  CHECK_EQ(ask(gateway, "", "GET", "/no/such/path").status, 401);
  CHECK_EQ(ask(gateway, kReads, "GET", "/no/such/path").status, 404);
  CHECK(gateway.log().find(kReads) == std::string::npos);
}

TEST_CASE("wrong_parameters_are_answered_400_in_one_line_on_every_path") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, options(backend));
  for (const auto& call : described(gateway)) {
    const std::string method(call.first), path(call.second);
    CAPTURE(path);
    const Answer unknown = ask(gateway, kOperates, method, path + "?no_such_parameter=1");
    CHECK_EQ(unknown.status, 400);
    CHECK(says_error(unknown));
    CHECK_EQ(std::count(unknown.body.begin(), unknown.body.end(), '\n'), 1);
    CHECK_EQ(ask(gateway, kOperates, "PATCH", path).status, 405);
  }
  for (const char* query : {"limit=0", "limit=x", "before=x", "status=died", "since=yesterday", "source=", "text=%FF", "source=a&source=b"}) {
    CHECK_EQ(ask(gateway, kReads, "GET", std::string("/v1/events?") + query).status, 400);
  }
  CHECK_EQ(ask(gateway, kReads, "GET", "/v1/messages/x").status, 400);
  CHECK_EQ(ask(gateway, kOperates, "POST", "/v1/replay", "{").status, 400);
  CHECK_EQ(ask(gateway, kOperates, "POST", "/v1/replay", std::string(300'000, ' ')).status, 413);
  CHECK_EQ(ask(gateway, kOperates, "POST", "/v1/destinations/%00/pause").status, 400);
  CHECK_EQ(ask(gateway, kOperates, "POST", "/v1/destinations/cmr/pause").status, 400);
}

TEST_CASE("who_did_it_is_the_name_of_the_token") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, options(backend));
  const Answer paused = ask(gateway, kOperates, "POST", "/v1/destinations/crm/pause?reason=update");
  CHECK_EQ(paused.status, 200);
  CHECK(paused.body.find("\"by\":\"tools\"") != std::string::npos);
  const Finished refused = gateway.belay({"resume", "crm", "--token", kReads});
  CHECK_EQ(refused.code, 1);
  CHECK(refused.err.find("the token 'dashboard' may only read") != std::string::npos);
  CHECK_EQ(gateway.belay({"resume", "crm"}).code, 0);
}

TEST_CASE("a_unix_socket_of_the_api_is_for_its_owner_alone") {
  const TempFolder folder;
  Backend backend(folder);
  folder.write("own/rules.d/test.yaml", rules(backend));
  const std::string main = folder.write("own/belay.yaml", "proxy: { listen: \"unix:run/proxy.sock\" }\nadmin: { listen: \"unix:run/admin.sock\", token: t }\nalerts: { to: ops }\n");
  Process process({belay_binary(), "run", "-c", main}, folder / "own/log");
  struct stat status {};
  REQUIRE(wait_for([&] { return ::stat((folder / "own/run/admin.sock").c_str(), &status) == 0; }));
  CHECK_EQ(status.st_mode & 0777, 0600);
  REQUIRE(wait_for([&] { return run({belay_binary(), "stats", "-c", main}).code == 0; }));
  process.signal(SIGTERM);
  CHECK_EQ(process.wait().code, 0);
}

TEST_CASE("follow_shows_what_comes_and_what_becomes_of_it_also_over_a_spool_that_is_killed") {
  const TempFolder folder;
  Backend backend(folder);
  backend.mode("status 503");
  Gateway gateway(folder, options(backend, ", retry: { first: 200ms, max: 200ms, attempts: 1000 }"));
  Process follow({belay_binary(), "events", "--follow", "--limit", "5000", "--json", "--source", "later", "-c", gateway.main_file(), "--state", gateway.state()}, folder / "follow");
  const auto shows = [&](const std::string& text, size_t times = 1) {
    return wait_for([&] {
      const std::string out = follow.out();
      size_t found = 0;
      for (size_t at = out.find(text); at != std::string::npos; at = out.find(text, at + 1)) ++found;
      return found >= times;
    }, Milliseconds(20'000));
  };
  REQUIRE(wait_for([&] { return gateway.log().find("admin API on") != std::string::npos; }));
  REQUIRE_EQ(send(gateway, "/later", "{\"n\":1}"), 202);
  REQUIRE_EQ(send(gateway, "/now"), 202);  // of another source
  REQUIRE(shows("\"state\":\"scheduled\""));
  const pid_t killed = gateway.spool();
  REQUIRE_EQ(kill(killed, SIGKILL), 0);
  REQUIRE(wait_for([&] { return gateway.spool() > 0 && gateway.spool() != killed && gateway.belay({"stats"}).code == 0; }));
  REQUIRE(wait_for([&] { return send(gateway, "/later", "{\"n\":2}") == 202; }));
  backend.mode("ok");
  REQUIRE(shows("\"state\":\"delivered\"", 2));
  CHECK(follow.out().find("\"source\":\"now\"") == std::string::npos);
  CHECK(follow.err().find("trying again until it is back") != std::string::npos);
}

// The text format of /metrics, as strictly as a scraper reads it: HELP and TYPE once before the samples of a family, names, labels
// and escapes well-formed, no sample twice, buckets ascending and ending in +Inf that equals the count. Gives value by sample.
namespace {

bool is_name(const std::string& name) {
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == ':'; });
}

// name="value",… up to '}'; moves behind it.
std::map<std::string, std::string> read_labels(const std::string& line, size_t& at) {
  std::map<std::string, std::string> labels;
  while (line.at(at) != '}') {
    const size_t equals = line.find('=', at);
    REQUIRE(equals != std::string::npos);
    const std::string name = line.substr(at, equals - at);
    REQUIRE(is_name(name));
    REQUIRE_EQ(line.at(equals + 1), '"');
    std::string value;
    for (at = equals + 2; line.at(at) != '"'; ++at) {
      if (line[at] == '\\') {
        ++at;
        REQUIRE((line.at(at) == '\\' || line[at] == '"' || line[at] == 'n'));
      }
      value += line[at];
    }
    REQUIRE(labels.emplace(name, value).second);
    ++at;
    if (line.at(at) == ',') ++at;
  }
  ++at;
  return labels;
}

struct Family {
  std::string type;
  std::map<std::string, double> samples;  // by the whole name with labels
};

std::map<std::string, Family> parse_metrics(const std::string& text) {
  std::map<std::string, Family> families;
  std::string current, helped;
  std::map<std::string, std::pair<double, double>> buckets;  // by labels without le: the last bound, the last count
  REQUIRE_EQ(text.back(), '\n');
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    CAPTURE(line);
    if (line.starts_with("# HELP ")) {
      helped = line.substr(7, line.find(' ', 7) - 7);
      REQUIRE_FALSE(families.contains(helped));
      continue;
    }
    if (line.starts_with("# TYPE ")) {
      current = line.substr(7, line.find(' ', 7) - 7);
      REQUIRE_EQ(current, helped);
      REQUIRE(is_name(current));
      families[current].type = line.substr(line.rfind(' ') + 1);
      REQUIRE((families[current].type == "counter" || families[current].type == "gauge" || families[current].type == "histogram"));
      continue;
    }
    size_t at = line.find_first_of("{ ");
    REQUIRE(at != std::string::npos);
    const std::string name = line.substr(0, at);
    std::map<std::string, std::string> labels;
    if (line[at] == '{') labels = read_labels(line, ++at);
    REQUIRE_EQ(line.at(at), ' ');
    char* parsed = nullptr;
    const double value = std::strtod(line.c_str() + at + 1, &parsed);
    REQUIRE_EQ(*parsed, '\0');
    Family& family = families[current];
    if (family.type == "histogram") {
      REQUIRE((name == current + "_bucket" || name == current + "_sum" || name == current + "_count"));
      std::string series;
      for (const auto& [label, of] : labels) series += label == "le" ? "" : label + "=" + of + ",";
      series = current + "{" + series;
      if (name.ends_with("_bucket")) {
        REQUIRE(labels.contains("le"));
        auto& [bound, count] = buckets.try_emplace(series, -1, 0).first->second;
        const double le = std::strtod(labels["le"].c_str(), nullptr);
        REQUIRE(le > bound);
        REQUIRE(value >= count);
        bound = le;
        count = value;
      }
      if (name.ends_with("_count")) {
        REQUIRE_EQ(buckets.at(series).second, value);
        REQUIRE(buckets.at(series).first > 1e300);  // +Inf came last
      }
    } else {
      REQUIRE_EQ(name, current);
    }
    REQUIRE(family.samples.emplace(line.substr(0, at), value).second);
  }
  return families;
}

// Words that look like metrics of ours.
std::set<std::string> metrics_named_in(const std::string& text) {
  std::set<std::string> names;
  for (size_t at = text.find("belay_"); at != std::string::npos; at = text.find("belay_", at + 1)) {
    if (at > 0 && (std::isalnum(static_cast<unsigned char>(text[at - 1])) != 0 || text[at - 1] == '_')) continue;
    size_t end = at;
    while (end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) != 0 || text[end] == '_')) ++end;
    names.insert(text.substr(at, end - at));
  }
  return names;
}

}  // namespace

TEST_CASE("metrics_are_well_formed_and_hold_every_name_that_alert_rules_and_dashboard_use") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, options(backend, ", retry: { schedule: [0s] }, breaker: { failures: 50%, of_last: 64, open_for: 1s }"));
  CHECK_EQ(send(gateway, "/now"), 200);
  CHECK_EQ(send(gateway, "/later", "{\"n\":1}"), 202);
  CHECK_EQ(send(gateway, "/later", "{\"n\":1}"), 202);  // a duplicate
  CHECK_EQ(send(gateway, "/signed"), 401);
  CHECK_EQ(send(gateway, "/nothing"), 404);
  std::map<std::string, Family> families;
  const auto value = [&](const std::string& family, const std::string& labels) {
    const auto found = families[family].samples.find(family + labels);
    return found == families[family].samples.end() ? -1 : found->second;
  };
  REQUIRE(wait_for([&] {
    families = parse_metrics(ask(gateway, kReads, "GET", "/metrics").body);
    return value("belay_attempts_total", "{destination=\"crm\",result=\"success\"}") == 1 &&
           value("belay_rejected_total", "{source=\"signed\",by=\"verify\"}") == 1 &&  // each worker tells its own once a second
           value("belay_requests_total", "{source=\"now\",outcome=\"forwarded\"}") == 1 &&
           value("belay_requests_total", "{source=\"later\",outcome=\"duplicate\"}") == 1 &&
           families["belay_request_duration_seconds"].samples["belay_request_duration_seconds_count{source=\"later\"}"] == 2 &&
           families["belay_request_duration_seconds"].samples["belay_request_duration_seconds_count{source=\"none\"}"] == 1;
  }));
  CHECK_EQ(value("belay_requests_total", "{source=\"now\",outcome=\"forwarded\"}"), 1);
  CHECK_EQ(value("belay_requests_total", "{source=\"later\",outcome=\"duplicate\"}"), 1);
  CHECK_EQ(families["belay_request_duration_seconds"].samples["belay_request_duration_seconds_count{source=\"later\"}"], 2);
  CHECK_EQ(families["belay_request_duration_seconds"].samples["belay_request_duration_seconds_count{source=\"none\"}"], 1);
  CHECK_EQ(families["belay_forward_duration_seconds"].samples["belay_forward_duration_seconds_count{destination=\"crm\"}"], 1);
  CHECK_EQ(families["belay_attempt_duration_seconds"].samples["belay_attempt_duration_seconds_count{destination=\"crm\"}"], 1);
  CHECK(families["belay_store_commit_seconds"].samples["belay_store_commit_seconds_count"] > 0);
  CHECK_EQ(ask(gateway, kOperates, "POST", "/v1/destinations/crm/pause").status, 200);
  CHECK_EQ(send(gateway, "/later", "{\"n\":2}"), 202);
  REQUIRE(wait_for([&] {
    families = parse_metrics(ask(gateway, kReads, "GET", "/metrics").body);
    return value("belay_waiting_older_than", "{destination=\"crm\",seconds=\"60\"}") == 0;
  }));
  std::set<std::string> exported;
  for (const auto& [name, family] : families) {
    exported.insert(name);
    if (family.type == "histogram") exported.insert({name + "_bucket", name + "_sum", name + "_count"});
  }
  for (const char* file : {"/conf/deploy/prometheus-rules.yaml", "/conf/deploy/grafana-dashboard.json", "/docs/monitoring.md"}) {
    CAPTURE(file);
    const std::string text = read_text(source_folder() + file);
    const auto used = metrics_named_in(text);
    CHECK(used.size() >= 8);
    for (const std::string& name : used) {
      CAPTURE(name);
      CHECK(exported.contains(name));
    }
  }
  CHECK(json::Document::parse(read_text(source_folder() + "/conf/deploy/grafana-dashboard.json")).ok());
  CHECK_EQ(ask(gateway, kOperates, "POST", "/v1/destinations/crm/resume").status, 200);
}

TEST_CASE("alerts_arrive_as_webhooks_once_and_say_when_it_is_over") {
  const TempFolder folder;
  Backend backend(folder), dead(folder, "dead");
  dead.mode("status 503");
  const std::string two = "sources:\n  later: { match: { path: /later }, trust: open, mode: spool, routes: [{ to: crm }] }\n"
                          "destinations:\n  crm: { url: \"http://" + dead.address() + "\", retry: { first: 200ms, max: 200ms, attempts: 1000 } }\n"
                          "  ops: { url: \"http://" + backend.address() + "/alerts\", sign: { preset: standard_webhooks, secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw } }\n";
  Gateway gateway(folder, {.rules = two, .main = "alerts: { to: ops, destination_down: 1s, suppress: 1h }\n"});
  REQUIRE_EQ(send(gateway, "/later"), 202);
  REQUIRE(wait_for([&] { return backend.seen_count() >= 1; }, Milliseconds(20'000)));
  CHECK(bodies_of(backend).find("\"type\":\"alert.raised\"") != std::string::npos);
  CHECK(bodies_of(backend).find("\"alert\":\"destination_down\",\"subject\":\"crm\"") != std::string::npos);
  CHECK(gateway.belay({"events", "--source", "belay.alerts", "--json"}).out.find("\"resource\":\"destination_down/crm\"") != std::string::npos);
  const pid_t killed = gateway.spool();
  REQUIRE_EQ(kill(killed, SIGKILL), 0);
  REQUIRE(wait_for([&] { return gateway.spool() > 0 && gateway.spool() != killed && gateway.belay({"stats"}).code == 0; }));
  dead.mode("ok");
  REQUIRE(wait_for([&] { return bodies_of(backend).find("alert.resolved") != std::string::npos; }, Milliseconds(20'000)));
  const std::string bodies = bodies_of(backend);
  CHECK_EQ(bodies.find("alert.raised"), bodies.rfind("alert.raised"));  // also after a restart
}
