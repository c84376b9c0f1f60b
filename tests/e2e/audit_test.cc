// The books of a stopped spool, its check and its compact copy, through the real binary.
#include <doctest/doctest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "support/backend.h"
#include "support/gateway.h"

using namespace belay::test;

namespace {

bool has(const Finished& finished, const std::string& text) { return (finished.out + finished.err).find(text) != std::string::npos; }

}  // namespace

TEST_CASE("a_stopped_spool_is_audited_checked_and_copied_and_a_damaged_one_is_named") {
  const TempFolder folder;
  Backend backend(folder);
  std::string path;
  {
    Gateway gateway(folder, {.rules = R"(sources:
  s: { match: { path: /s }, trust: open, mode: spool, routes: [{ to: d }] }
destinations:
  d: { url: "http://)" + backend.address() + "\" }\n"});
    for (int i = 0; i < 20; ++i) REQUIRE_EQ(send_once(gateway.address(), request("POST", "/s", {}, std::string(3000, 'x')))->status, 202);
    CHECK(wait_for([&] { return backend.seen_count() == 20; }));
    path = gateway.state() + "/var/spool";
    const Finished running = run({belay_binary(), "audit", "--path", path});
    CHECK_EQ(running.code, 2);
    CHECK(has(running, "a spool runs on"));
    CHECK_EQ(run({belay_binary(), "spool", "check", path}).code, 0);
    CHECK_EQ(gateway.belay({"spool", "check"}).code, 0);
    // No orderly end: what a crash leaves must balance, too.
    kill(gateway.spool(), SIGKILL);
    CHECK(wait_for([&] { return gateway.belay({"audit"}).code == 0; }));
  }
  const Finished books = run({belay_binary(), "audit", "--path", path});
  INFO(books.out, books.err);
  CHECK_EQ(books.code, 0);
  CHECK(has(books, "The books balance: 20 messages, 20 deliveries and 20 lines counted"));
  const Finished compact = run({belay_binary(), "spool", "compact", folder / "copy", "--path", path});
  INFO(compact.out, compact.err);
  CHECK_EQ(compact.code, 0);
  CHECK(has(run({belay_binary(), "spool", "check", folder / "copy"}), "20 messages, 20 deliveries"));
  CHECK_EQ(run({belay_binary(), "spool", "compact", folder / "copy", "--path", path}).code, 2);
  CHECK_EQ(run({belay_binary(), "spool", "check", folder / "nothing"}).code, 2);
  CHECK_EQ(run({belay_binary(), "audit", "--path", folder / "nothing"}).code, 2);
  // One bit of a body.
  std::string bytes = read_text(folder / "copy/data.mdb");
  const size_t at = bytes.find(std::string(2000, 'x'));
  REQUIRE_NE(at, std::string::npos);
  bytes[at + 7] = 'y';
  std::ofstream(folder / "copy/data.mdb", std::ios::binary) << bytes;
  const Finished damaged = run({belay_binary(), "spool", "check", folder / "copy"});
  INFO(damaged.out, damaged.err);
  CHECK_EQ(damaged.code, 1);
  CHECK(has(damaged, "damaged"));
}
