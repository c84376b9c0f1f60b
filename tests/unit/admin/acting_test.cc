// The calls that act on many and those that tell of it: how they are asked for and how their answers look.
#include <doctest/doctest.h>

#include "admin/running_server.h"
#include "admin/samples.h"

using namespace belay;
using namespace belay::test;

namespace {

bool has(const Answer& answer, std::string_view text) { return answer.body.find(text) != std::string::npos; }

const std::string kIds = std::string(R"({"ids": [")") + kId + R"("]})";

}  // namespace

TEST_CASE("acts_on_many_begin_with_202_are_asked_for_and_stopped_by_their_id") {
  RunningServer server;
  server.operations.held_replay = spool::BulkResult{.id = *MessageId::parse(kId), .deed = spool::Deed::cancel, .what = "x", .deliveries = 7};
  for (const auto& each : {std::pair{"/v1/replays", spool::Deed::replay}, std::pair{"/v1/cancels", spool::Deed::cancel},
                                   std::pair{"/v1/releases", spool::Deed::release}, std::pair{"/v1/drops", spool::Deed::drop}}) {
    const std::string path = each.first;
    server.operations.held_replay->deed = each.second;
    CAPTURE(path);
    const Answer begun = server.ask("POST", path, kIds);
    CHECK(begun.status == 202);
    CHECK(has(begun, R"("running":true)"));
    CHECK(server.operations.asked_replay.deed == each.second);
    CHECK(server.operations.asked_replay.what == kId);
    CHECK(server.operations.asked_replay.who == "admin");
    const std::string one = path + "/" + kId;
    CHECK(has(server.get(one), R"("deliveries":7)"));
    CHECK(server.ask("DELETE", one).status == 200);
    CHECK(server.operations.halted_by == "admin");
    server.operations.halted_by.clear();
    server.operations.held_replay->deed = each.second == spool::Deed::drop ? spool::Deed::replay : spool::Deed::drop;
    CHECK(server.get(one).status == 404);
    CHECK(server.ask("DELETE", one).status == 404);
    CHECK(server.operations.halted_by.empty());
  }
  CHECK(server.operations.begun == 4);
  CHECK(server.ask("POST", "/v1/cancels", R"({"filter": {"status": "dead"}, "dry_run": true})").status == 200);
  CHECK(server.operations.begun == 4);  // to count is to wait for the answer
  CHECK(server.operations.asked_replay.what == "status=dead");
  server.operations.held_replay = invalid("nothing of this id was begun");
  CHECK(server.get(std::string("/v1/replays/") + kId).status == 404);
}

TEST_CASE("what_only_some_acts_take_is_refused_by_the_others") {
  RunningServer server;
  CHECK(server.ask("POST", "/v1/replays", R"({"filter": {"status": "dead"}, "as": "reapplied"})").status == 202);
  CHECK(server.operations.asked_replay.deed == spool::Deed::reapply);
  CHECK(server.ask("POST", "/v1/drops", R"({"ids": ["m-00ff"]})").status == 202);
  CHECK(server.operations.asked_replay.keys == std::vector<std::string>{"m-00ff"});
  CHECK(server.ask("POST", "/v1/releases", R"({"filter": {"kind": "refused", "source": "acme"}})").status == 202);
  CHECK(server.operations.asked_replay.kind == spool::KeptKind::refused);
  CHECK(server.operations.asked_replay.filter->source == "acme");
  const int begun = server.operations.begun;
  for (const auto& each : {std::pair{"/v1/replays", R"({"filter": {"status": "dead"}, "as": "new"})"}, std::pair{"/v1/cancels", R"({"filter": {"status": "dead"}, "as": "sent"})"},
                                   std::pair{"/v1/replays", R"({"ids": ["m-00ff"]})"}, std::pair{"/v1/releases", R"({"filter": {"kind": "odd"}})"},
                                   std::pair{"/v1/drops", R"({"filter": {"status": "dead"}})"}, std::pair{"/v1/cancels", R"({"filter": {"kind": "refused"}})"}}) {
    CAPTURE(each.first);
    CAPTURE(each.second);
    CHECK(server.ask("POST", each.first, each.second).status == 400);
  }
  CHECK(server.operations.begun == begun);
}

TEST_CASE("audit_quarantine_and_books_tell_what_the_spool_tells") {
  RunningServer server;
  server.operations.held_acts = spool::ActPage{{{*MessageId::parse(kId), "alice", "replay", "status=dead", "done", 2, 3, 1}}, *MessageId::parse(kId)};
  Answer answer = server.get(std::string("/v1/audit?limit=7&before=") + kId);
  CHECK(answer.status == 200);
  CHECK(has(answer, R"("who":"alice","action":"replay","what":"status=dead","outcome":"done","messages":2,"deliveries":3,"left_out":1)"));
  CHECK(server.operations.asked_max == 7);
  CHECK(server.get("/v1/audit?limit=0").status == 400);

  spool::Kept damaged{spool::KeptKind::damaged, "m-00ff", {}, std::nullopt, 12};
  server.operations.held_kept = spool::KeptPage{{damaged}, "q00"};
  answer = server.get("/v1/quarantine?kind=damaged&since=1h");
  CHECK(answer.status == 200);
  CHECK(server.operations.asked_kept.kind == spool::KeptKind::damaged);
  CHECK(server.operations.asked_kept.filter.since.has_value());
  CHECK(has(answer, R"("kind":"damaged","id":"m-00ff")"));
  CHECK(has(answer, R"("next":"q00")"));
  CHECK(server.get("/v1/quarantine?kind=odd").status == 400);
  CHECK(server.get("/v1/quarantine?status=dead").status == 400);

  server.operations.held_books = spool::BooksReport{.destinations = {{"crm", {{"waiting", 2, 1}}}}};
  answer = server.get("/v1/books");
  CHECK(answer.status == 200);
  CHECK(has(answer, R"("balanced":false)"));
  CHECK(has(answer, R"("waiting":{"counted":2,"found":1})"));
}
