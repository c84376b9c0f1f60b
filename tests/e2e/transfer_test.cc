// A spool that moves: exported and imported by the real binary, also with kill -9 in between, broken files and damaged records.
#include <doctest/doctest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <string>

#include "support/backend.h"
#include "support/gateway.h"

using namespace belay::test;

namespace {

bool has(const Finished& finished, const std::string& text) { return (finished.out + finished.err).find(text) != std::string::npos; }

std::string rules(const Backend& backend) {
  return R"(sources:
  s:
    match: { path: /s }
    trust: open
    mode: spool
    identify: { id: id, type: type }
    dedupe: { key: id, window: 1h }
    filter: 'type != "ping"'
    routes:
      - { when: 'type == "good"', to: good }
      - { when: 'type == "dead"', to: dead }
      - { when: 'type == "later"', to: away, order: type }
      - { when: 'type == "unmade"', to: good, transform: { body: { n: "{{ missing.field }}" } } }
  signed:
    match: { path: /signed }
    verify: { algorithm: hmac-sha256, signature: { header: X-Sig }, encoding: hex }
    secrets: { signing: "a-secret" }
    reject: { quarantine: [verify] }
    mode: spool
    routes: [{ to: good }]
destinations:
  good: { url: "http://)" + backend.address() + R"(/good" }
  dead: { url: "http://)" + backend.address() + R"(/dead", success: 299 }
  away: { url: "http://127.0.0.1:9", retry: { first: 30d, factor: 1, max: 30d, attempts: 9 } }
)";
}

int post(const Gateway& gateway, const std::string& path, const std::string& body) {
  return send_once(gateway.address(), request("POST", path, {{"Content-Type", "application/json"}}, body))->status;
}

std::string webhook(const std::string& id, const std::string& type) { return R"({"id":")" + id + R"(","type":")" + type + R"("})"; }

// One of each kind.
void send_all(const Gateway& gateway) {
  for (const char* type : {"good", "dead", "later", "unmade", "ping"}) {
    for (const char* number : {"1", "2"}) CHECK_LE(post(gateway, "/s", webhook(std::string(type) + number, type)), 202);
  }
  CHECK_LE(post(gateway, "/s", webhook("good1", "good")), 202);  // a duplicate
  CHECK_EQ(post(gateway, "/signed", "{\"a\": \"\xc3\xa9\"}"), 401);
}

std::string accounts(const Gateway& gateway) {
  const Finished audit = gateway.belay({"audit", "--json"});
  CHECK_EQ(audit.code, 0);
  return audit.out.substr(audit.out.find("\"destinations\""));
}

// Of an export: all but its header and its trailer, which say when it was made.
std::string parts(const std::string& text) {
  const size_t begin = text.find('\n') + 1, end = text.rfind('\n', text.size() - 2) + 1;
  return text.substr(begin, end - begin);
}

// Nothing is on the way any more.
bool settled(const Gateway& gateway) {
  return gateway.belay({"events", "--status", "delivered", "--json"}).out.find("good2") != std::string::npos &&
         gateway.belay({"events", "--status", "dead", "--json"}).out.find("dead2") != std::string::npos &&
         gateway.belay({"events", "--status", "scheduled", "--json"}).out.find("later1") != std::string::npos &&
         gateway.belay({"events", "--status", "queued", "--json"}).out.find("later2") != std::string::npos;
}

}  // namespace

TEST_CASE("a_spool_moves_to_another_machine") {
  const TempFolder folder, other;
  Backend backend(folder);
  std::string path, events, books;
  const std::string file = folder / "all.ndjson";
  {
    Gateway gateway(folder, {.rules = rules(backend)});
    path = gateway.state() + "/var/spool";
    send_all(gateway);
    CHECK(wait_for([&] { return settled(gateway); }));
    const Finished beside = gateway.belay({"spool", "export", "--output", folder / "beside.ndjson"});
    INFO(beside.err);
    CHECK_EQ(beside.code, 0);
    CHECK_EQ(run({belay_binary(), "spool", "import", folder / "beside.ndjson", "--path", path}).code, 1);  // it runs
    const Finished some = gateway.belay({"spool", "export", "--destination", "dead"});
    CHECK_EQ(some.code, 0);
    CHECK(has(some, "Exported: 2 messages, 2 deliveries, 0 further lines of the books, 2 claims."));
    events = gateway.belay({"events", "--json", "--limit", "1000"}).out;
    books = accounts(gateway);
  }
  const Finished exported = run({belay_binary(), "spool", "export", "-o", file, "--path", path});
  INFO(exported.out, exported.err);
  CHECK_EQ(exported.code, 0);
  CHECK(exported.out.empty());
  CHECK(has(exported, "Exported: 9 messages, 8 deliveries, 3 further lines of the books, 8 claims."));
  CHECK_EQ(run({belay_binary(), "spool", "export", "-o", file, "--path", path}).code, 2);  // it is there
  const Finished printed = run({belay_binary(), "spool", "export", "--path", path});
  CHECK_EQ(parts(printed.out), parts(read_text(file)));

  const std::string there = other / "state/var/spool";
  std::filesystem::create_directories(other / "state/var");
  CHECK(has(run({belay_binary(), "spool", "import", file, "--dry-run", "--path", there}), "It is whole, and holds: 9 messages"));
  const Finished imported = run({belay_binary(), "spool", "import", file, "--path", there});
  INFO(imported.out, imported.err);
  CHECK_EQ(imported.code, 0);
  CHECK(has(imported, "Imported: 9 messages, 8 deliveries, 3 further lines of the books, 8 claims"));
  const Finished again = run({belay_binary(), "spool", "import", file, "--path", there, "--json"});
  CHECK_EQ(again.code, 0);
  CHECK(has(again, R"({"messages":0,"deliveries":0,"lines":0,"claims":0,"others":0,"known":12)"));
  CHECK_EQ(run({belay_binary(), "spool", "check", there}).code, 0);
  const size_t sent = backend.seen_count();
  {
    Gateway gateway(other, {.rules = rules(backend)});
    CHECK_EQ(gateway.belay({"events", "--json", "--limit", "1000"}).out, events);
    CHECK_EQ(accounts(gateway), books);
    CHECK(gateway.belay({"quarantine", "list", "--json"}).out.find("\"refused\"") != std::string::npos);
    CHECK_LE(post(gateway, "/s", webhook("good2", "good")), 202);
    CHECK(wait_for([&] { return gateway.belay({"events", "--status", "duplicate", "--id", "good2", "--json"}).out.find("good2") != std::string::npos; }));
    // What was dead is sent from here, under its id.
    CHECK_EQ(gateway.belay({"replay", "--all", "--status", "dead", "--type", "dead", "--yes"}).code, 0);
    CHECK(wait_for([&] { return backend.seen_count() == sent + 2; }));
  }
}

// As if the machine had stood still for years, or its clock were years ahead.
TEST_CASE("a_spool_whose_newest_webhook_is_years_old_forgets_nothing_at_its_start_and_at_the_next_one") {
  const TempFolder folder, other;
  Backend backend(folder);
  const std::string file = folder / "all.ndjson";
  {
    Gateway gateway(folder, {.rules = rules(backend)});
    CHECK_LE(post(gateway, "/s", webhook("good1", "good")), 202);
    CHECK(wait_for([&] { return gateway.belay({"events", "--status", "delivered", "--json"}).out.find("good1") != std::string::npos; }));
  }
  CHECK_EQ(run({belay_binary(), "spool", "export", "-o", file, "--path", folder / "state/var/spool"}).code, 0);
  const std::string text = std::regex_replace(read_text(file), std::regex("01[0-9a-f]{6}(-[0-9a-f]{4}-7)"), "0160aaaa$1");
  std::ofstream(file) << text;
  std::filesystem::create_directories(other / "state/var");
  CHECK_EQ(run({belay_binary(), "spool", "import", file, "--edited", "--path", other / "state/var/spool"}).code, 0);
  Gateway gateway(other, {.rules = rules(backend)});
  const auto has_both = [&] {
    const std::string rows = gateway.belay({"events", "--status", "delivered", "--json"}).out;
    return rows.find("good1") != std::string::npos && rows.find("good2") != std::string::npos;
  };
  CHECK_LE(post(gateway, "/s", webhook("good2", "good")), 202);
  CHECK(wait_for(has_both));
  const pid_t before = gateway.spool();
  kill(before, SIGKILL);
  CHECK(wait_for([&] { return gateway.spool() != before && gateway.belay({"audit"}).code == 0; }));
  CHECK(has_both());
}

TEST_CASE("an_import_that_is_killed_is_repeated_and_a_broken_file_changes_nothing") {
  const TempFolder folder;
  Backend backend(folder);
  std::string path;
  {
    Gateway gateway(folder, {.rules = rules(backend)});
    path = gateway.state() + "/var/spool";
    for (int i = 0; i < 300; ++i) CHECK_LE(post(gateway, "/s", webhook(std::to_string(i), "later")), 202);
  }
  const std::string file = folder / "all.ndjson", whole = [&] {
    CHECK_EQ(run({belay_binary(), "spool", "export", "-o", file, "--path", path}).code, 0);
    return read_text(file);
  }();
  const auto import = [&](const std::string& text, const std::string& to, std::vector<std::string> more = {}) {
    folder.write("broken.ndjson", text);
    std::vector<std::string> command{belay_binary(), "spool", "import", folder / "broken.ndjson", "--path", to};
    command.insert(command.end(), more.begin(), more.end());
    return run(command);
  };
  const std::string to = folder / "to";
  const Finished cut = import(whole.substr(0, whole.size() / 2), to);
  CHECK_EQ(cut.code, 2);
  CHECK(has(cut, "it ends in the middle: the file was cut off"));
  const size_t last = whole.rfind('\n', whole.size() - 2) + 1;
  CHECK(has(import(whole.substr(0, last), to), "it has no trailer behind line"));
  std::string changed = whole;
  changed.replace(changed.find("\"later\""), 7, "\"sooner\"");
  CHECK(has(import(changed, to), "it is not as it was exported"));
  const size_t second = whole.find('\n') + 1, third = whole.find('\n', second) + 1;
  CHECK(has(import(whole.substr(0, second) + whole.substr(third), to), "it does not hold what its trailer says"));
  const Finished bad = import(whole.substr(0, third) + "{\"kind\":\"messag\"}\n" + whole.substr(third), to);
  CHECK_EQ(bad.code, 2);
  CHECK(has(bad, "line 3: unknown kind 'messag'; write one of: header"));
  CHECK(has(import("", to), "it is empty"));
  CHECK(has(import(whole.substr(second), to), "line 1: the first line is no header"));
  CHECK_FALSE(std::filesystem::exists(to));
  CHECK_EQ(import(whole.substr(0, whole.size() / 2), folder / "half", {"--edited"}).code, 0);
  CHECK_EQ(run({belay_binary(), "spool", "check", folder / "half"}).code, 0);

  // kill -9 at some moments, then again until it is done.
  for (const int wait : {1, 4, 9, 16, 25, 40}) {
    Process importing({belay_binary(), "spool", "import", file, "--path", to}, folder / "importing");
    static_cast<void>(wait_for([&] { return !importing.running(); }, Milliseconds(wait)));
    importing.signal(SIGKILL);
    static_cast<void>(importing.wait(Milliseconds(10'000)));
  }
  const Finished done = run({belay_binary(), "spool", "import", file, "--path", to});
  INFO(done.out, done.err);
  CHECK_EQ(done.code, 0);
  CHECK_EQ(run({belay_binary(), "audit", "--path", to}).code, 0);
  CHECK_EQ(run({belay_binary(), "spool", "check", to}).code, 0);
  const Finished same = run({belay_binary(), "spool", "export", "--path", to});
  CHECK_EQ(parts(same.out), parts(whole));
}

TEST_CASE("a_damaged_record_is_left_out_of_an_export_and_shown_by_the_quarantine") {
  const TempFolder folder, other;
  Backend backend(folder);
  std::string path;
  {
    Gateway gateway(folder, {.rules = rules(backend)});
    path = gateway.state() + "/var/spool";
    for (const char* id : {"one", "two"}) CHECK_LE(post(gateway, "/s", R"({"type":"later","id":")" + std::string(id) + R"(","pad":")" + std::string(200, id[0]) + "\"}"), 202);
  }
  const std::string there = other / "state/var/spool";
  std::filesystem::create_directories(there);
  std::string bytes = read_text(path + "/data.mdb");
  for (size_t at = bytes.find(std::string(200, 'o')); at != std::string::npos; at = bytes.find(std::string(200, 'o'), at + 1)) bytes[at + 7] = '!';
  std::ofstream(there + "/data.mdb", std::ios::binary) << bytes;
  const Finished exported = run({belay_binary(), "spool", "export", "-o", folder / "out", "--path", there});
  INFO(exported.err);
  CHECK_EQ(exported.code, 1);
  CHECK(has(exported, "Exported: 1 messages, 1 deliveries, 1 further lines"));
  CHECK(has(exported, "damaged records are left out"));
  Gateway gateway(other, {.rules = rules(backend), .expect_alerts = true});
  const Finished events = gateway.belay({"events", "--json", "--id", "one"});
  INFO(events.out, events.err);
  REQUIRE_NE(events.out.find("\"id\":\""), std::string::npos);
  const std::string id = events.out.substr(events.out.find("\"id\":\"") + 6, 36);
  CHECK_NE(gateway.belay({"show", id}).code, 0);  // who looks at it finds it
  std::string key;
  CHECK(wait_for([&] {
    const std::string rows = gateway.belay({"quarantine", "list", "--kind", "damaged", "--json"}).out;
    const size_t at = rows.find("\"m-");
    if (at != std::string::npos) key = rows.substr(at + 1, 34);
    return at != std::string::npos;
  }));
  const Finished shown = gateway.belay({"quarantine", "show", key});
  INFO(shown.out, shown.err);
  CHECK_EQ(shown.code, 0);
  CHECK(has(shown, "record of   messages"));
  CHECK(has(shown, "is damaged"));
  CHECK(has(shown, "  0000  01 "));
  CHECK_EQ(gateway.belay({"quarantine", "show", key, "--raw"}).code, 2);
  CHECK_EQ(gateway.belay({"quarantine", "show", "m-00"}).code, 2);
  CHECK_EQ(gateway.belay({"audit"}).code, 0);
  CHECK_EQ(gateway.belay({"quarantine", "drop", key}).code, 0);
  CHECK_EQ(gateway.belay({"audit"}).code, 0);
  CHECK_EQ(gateway.belay({"spool", "check"}).code, 0);
}
