// The feed of changes: numbers, pages, and what it tells who is too far behind.
#include <doctest/doctest.h>

#include "spool/feed.h"

using namespace belay;
using namespace belay::spool;

namespace {

MessageId id(uint8_t number) {
  MessageId made;
  made.bytes[15] = number;
  return made;
}

}  // namespace

TEST_CASE("changes_are_read_in_pages_from_where_the_last_one_ended") {
  Feed feed;
  CHECK(feed.after(0, 10).ids.empty());
  feed.add({id(1), id(2)});
  feed.add({id(3)});
  const Changes first = feed.after(0, 2);
  CHECK(first.ids == std::vector<MessageId>{id(1), id(2)});
  CHECK(first.last == 2);
  CHECK_FALSE(first.gap);
  CHECK(feed.after(first.last, 2).ids == std::vector<MessageId>{id(3)});
  CHECK(feed.after(3, 2).ids.empty());
  CHECK(feed.after(99, 2).last == 3);  // a number that was never given is the newest
  CHECK(feed.last() == 3);
}

TEST_CASE("who_is_further_behind_than_the_feed_remembers_is_told_of_a_gap") {
  Feed feed;
  feed.add(std::vector<MessageId>(Feed::kKept, id(1)));
  CHECK_FALSE(feed.after(0, 1).gap);
  feed.add({id(2)});
  const Changes changes = feed.after(0, 1);
  CHECK(changes.gap);
  CHECK(changes.last == 2);
  CHECK_FALSE(feed.after(1, 1).gap);
}
