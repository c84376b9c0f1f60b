// Server-sent events as a client reads them.
#include <doctest/doctest.h>

#include <vector>

#include "cli/event_tail.h"

using namespace belay;

TEST_CASE("events_are_taken_apart_however_the_stream_is_cut") {
  const std::string text = ": hello\nretry: 1000\nid: 1-0-1\n\nevent: webhook\nid: 1-1-2\ndata: {\"a\":1}\n\n: still here\nid: 1-2-3\n\nevent: gap\r\ndata: x\r\ndata:  y\r\n\r\nevent: half\ndata: z";
  for (size_t cut = 0; cut < text.size(); ++cut) {
    cli::EventTail tail;
    std::vector<cli::TailEvent> seen;
    const auto take = [&](const cli::TailEvent& event) { seen.push_back(event); };
    REQUIRE(tail.feed(text.substr(0, cut), take).ok());
    REQUIRE(tail.feed(text.substr(cut), take).ok());
    REQUIRE(seen.size() == 2);
    CHECK(seen[0].name == "webhook");
    CHECK(seen[0].data == "{\"a\":1}");
    CHECK(seen[1].name == "gap");
    CHECK(seen[1].data == "x\n y");
    CHECK(tail.last_id() == "1-2-3");
    tail.reset();
    REQUIRE(tail.feed("data: new\n\n", take).ok());
    CHECK(seen.back().data == "new");
  }
  cli::EventTail tail;
  CHECK_FALSE(tail.feed(std::string(cli::EventTail::kMaxEvent + 1, 'x'), [](const cli::TailEvent&) {}).ok());
}
