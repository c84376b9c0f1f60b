// The main promise as one story: five systems send 2,000 signed webhooks at a steady rate while the backend is stopped,
// restarted, made to answer 500, to hang and to reset, and spool and workers get kill -9 in between. At the end the backend
// has every acknowledged webhook, bytes identical, and `belay events` accounts for each.
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/backend.h"
#include "support/gateway.h"

using namespace belay::test;

namespace {

constexpr int kWebhooks = 2'000;
constexpr int kSenders = 8;
constexpr Milliseconds kPace(64);  // per sender: 125 webhooks a second together

std::string rules(const Backend& backend) {
  return R"(sources:
  netsuite:  { match: { path: /netsuite }, preset: netsuite, secrets: { signing: netsuite-secret }, routes: [{ to: backend }] }
  nue:       { match: { path: /nue }, preset: nue, secrets: { signing: nue-token }, mode: spool, routes: [{ to: backend }] }
  acumatica: { match: { path: /acumatica }, preset: acumatica, secrets: { signing: acumatica-secret }, reply: { status: 200, body: '{"received": true}' }, routes: [{ to: backend }] }
  netx:      { match: { path: /netx }, preset: netx, secrets: { signing: 6od7VUynjVQbDgLUdzeNvc5KuRs }, mode: spool, routes: [{ to: backend }] }
  bigledger: { match: { path: /bigledger }, preset: bigledger, secrets: { signing: bigledger-key }, routes: [{ to: backend }] }
destinations:
  backend: { url: "http://)" + backend.address() + R"(", timeout: 1s, connect_timeout: 1s, concurrency: 64, retry: { first: 200ms, factor: 1.5, max: 1s, attempts: 500, jitter: 20% } }
)";
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  REQUIRE_NE(at, std::string::npos);
  return text.replace(at, from.size(), to);
}

// Webhook `number` of the five systems in turn: the reference payload with its own id, signed as the sender signs.
std::string webhook(int number, std::string& body) {
  static const std::string kFolder = source_folder() + "/conf/samples/";
  static const std::array<std::string, 5> kPayloads = {
      read_text(kFolder + "netsuite-customer.update.json"), read_text(kFolder + "nue-order.activated.json"),
      read_text(kFolder + "acumatica-Customer.Updated.json"), read_text(kFolder + "netx-asset.create.json"),
      read_text(kFolder + "bigledger-sales_order.created.json")};
  const std::string id = std::to_string(1'000'000 + number);
  const Headers json = {{"Content-Type", "application/json"}, {"User-Agent", "story"}};
  Headers headers = json;
  switch (number % 5) {
    case 0:
      body = replaced(kPayloads[0], "\"12345\"", "\"" + id + "\"");
      headers.emplace_back("X-Netsuite-Signature-256", hmac_sha256_hex("netsuite-secret", body));
      return request("POST", "/netsuite", headers, body);
    case 1:
      body = replaced(kPayloads[1], "8014w000008ZoiHAAS", id);
      return request("POST", "/nue?k=nue-token", headers, body);
    case 2:
      body = replaced(kPayloads[2], "12345-67890-abcdef", id);
      headers.emplace_back("X-Acumatica-Signature", "sha256=" + hmac_sha256_hex("acumatica-secret", body));
      headers.emplace_back("X-Acumatica-Delivery", id);
      headers.emplace_back("X-Acumatica-Event", "Customer.Updated");
      return request("POST", "/acumatica", headers, body);
    case 3:
      body = replaced(kPayloads[3], "78480073-b8d2-4494-85a9-638f5a15e409", id);
      return request("POST", "/netx", headers, body);
    default:
      body = replaced(kPayloads[4], "evt_000481516", id);
      headers.emplace_back("X-API-Key", "bigledger-key");
      return request("POST", "/bigledger", headers, body);
  }
}

// What the senders have been told.
struct Ledger {
  std::mutex mutex;
  std::map<std::string, int> acknowledged;  // sha256 of the body → times
  std::map<int, int> statuses;
  std::atomic<int> sent{0}, broken{0};
};

void send_all(int sender, const std::string& address, Ledger& ledger) {
  std::optional<Connection> connection;
  auto next = std::chrono::steady_clock::now();
  for (int number = sender; number < kWebhooks; number += kSenders) {
    std::this_thread::sleep_until(next);
    next += kPace;
    std::string body;
    const std::string bytes = webhook(number, body);
    // As a sender does: tries again on a broken connection or a 5xx, a few times.
    for (int attempt = 0; attempt < 4; ++attempt) {
      ++ledger.sent;
      std::optional<Answer> answer;
      try {
        if (!connection) connection.emplace(address);
        if (connection->send(bytes)) answer = connection->read_answer(false, Milliseconds(20'000));
      } catch (const std::runtime_error&) {
      }
      if (!answer) {
        ++ledger.broken;
        connection.reset();
        usleep(50'000);
        continue;
      }
      const std::lock_guard lock(ledger.mutex);
      ++ledger.statuses[answer->status];
      if (answer->field("Connection") == "close") connection.reset();
      if (answer->status / 100 == 2) {
        ++ledger.acknowledged[sha256_hex(body)];
        break;
      }
      usleep(50'000);
    }
  }
}

struct Step {
  int at_ms;
  std::function<void()> act;
};

void kill_one_worker(const Gateway& gateway) {
  const auto workers = gateway.workers();
  if (!workers.empty()) kill(workers.front(), SIGKILL);
}

}  // namespace

TEST_CASE("every_acknowledged_webhook_reaches_the_backend_whatever_falls_in_between") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend), .proxy = "  workers: 2\n"});
  Ledger ledger;
  std::vector<std::thread> senders;
  for (int i = 0; i < kSenders; ++i) senders.emplace_back(send_all, i, gateway.address(), std::ref(ledger));

  const std::vector<Step> story = {
      {1'000, [&] { backend.stop(); }},        {2'000, [&] { kill(gateway.spool(), SIGKILL); }},
      {3'000, [&] { backend.start(); }},       {4'000, [&] { backend.mode("status 500"); }},
      {5'000, [&] { kill_one_worker(gateway); }}, {6'000, [&] { backend.mode("hang"); }},
      {7'500, [&] { kill(gateway.spool(), SIGKILL); }}, {8'500, [&] { backend.mode("reset"); }},
      {9'500, [&] { kill_one_worker(gateway); }}, {10'500, [&] { backend.mode("ok"); }},
      {11'500, [&] { kill(gateway.spool(), SIGKILL); }}, {12'500, [&] { backend.stop(); }},
      {13'500, [&] { backend.start(); }},      {14'500, [&] { kill_one_worker(gateway); }},
  };
  const auto begin = std::chrono::steady_clock::now();
  for (const Step& step : story) {
    std::this_thread::sleep_until(begin + Milliseconds(step.at_ms));
    step.act();
  }
  for (auto& sender : senders) sender.join();

  for (const auto& [status, count] : ledger.statuses) MESSAGE("answered ", status, ": ", count);
  MESSAGE("sent ", ledger.sent.load(), ", connections broken ", ledger.broken.load(), ", webhooks acknowledged ", ledger.acknowledged.size());
  CHECK_EQ(ledger.statuses.count(401), 0);
  CHECK_EQ(ledger.statuses.count(400), 0);
  CHECK_GT(ledger.acknowledged.size(), kWebhooks * 9 / 10);

  std::map<std::string, std::set<std::string>> delivered;  // sha256 → webhook-ids the backend answered 200 for
  std::string missing;
  const bool all = wait_for([&] {
    delivered.clear();
    for (const Seen& seen : backend.seen()) {
      if (seen.status == 200) delivered[seen.sha256].insert(seen.id);
    }
    for (const auto& [sha, times] : ledger.acknowledged) {
      missing = sha;
      if (!delivered.contains(sha)) return false;
    }
    return true;
  }, Milliseconds(60'000));
  CHECK_MESSAGE(all, "acknowledged but never delivered: ", missing);

  // Books: every delivered id is an event that says so; nothing waits any more.
  std::string unaccounted;
  const bool balanced = wait_for([&] {
    std::set<std::string> settled;
    const Finished events = gateway.belay({"events", "--json", "--limit", "100000"});
    size_t at = 0;
    for (const char* state : {"\"forwarded\"", "\"delivered\""}) {
      for (at = 0; (at = events.out.find(state, at)) != std::string::npos; ++at) {
        const size_t line = events.out.rfind('\n', at) == std::string::npos ? 0 : events.out.rfind('\n', at) + 1;
        const size_t id = events.out.find("\"id\":\"", line);
        if (id != std::string::npos) settled.insert(events.out.substr(id + 6, 36));
      }
    }
    for (const auto& [sha, times] : ledger.acknowledged) {
      bool found = false;
      for (const std::string& id : delivered[sha]) found = found || settled.contains(id);
      if (!found) {
        unaccounted = sha + " as " + (delivered[sha].empty() ? "" : *delivered[sha].begin()) + " of " + std::to_string(settled.size()) + " settled";
        return false;
      }
    }
    return true;
  }, Milliseconds(30'000));
  CHECK_MESSAGE(balanced, "not accounted for in belay events: ", unaccounted);
}
