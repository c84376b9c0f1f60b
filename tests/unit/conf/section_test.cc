#include "conf/section.h"

#include <doctest/doctest.h>

using namespace belay;
using namespace belay::conf;

namespace {

constexpr Setting kSettings[] = {
    {.key = "rate", .type = Type::rate, .help = "webhooks allowed per unit of time"},
    {.key = "burst", .type = Type::integer, .fallback = "50", .range = "0..1000"},
    {.key = "share", .type = Type::number, .fallback = "20%", .range = "0..1"},
    {.key = "timeout", .type = Type::duration, .fallback = "10s", .range = "1s..1h"},
    {.key = "max", .type = Type::size, .fallback = "1MB", .range = "1KB.."},
    {.key = "on", .type = Type::boolean, .fallback = "true"},
    {.key = "mode", .type = Type::text, .fallback = "forward", .range = "forward|spool"},
    {.key = "allow", .type = Type::text},
    {.key = "inner", .type = Type::node},
};

struct Read {
  Problems problems;
  std::shared_ptr<const Document> document;
  Section section;
  explicit Read(const std::string& text, std::span<const Setting> settings = kSettings)
      : document(Document::parse(text, "a.yaml", problems)), section(document->root(), settings, problems) {}
  std::string said() const { return problems.to_string(); }
};

}  // namespace

TEST_CASE("absent_keys_read_as_their_fallbacks") {
  const Read read("");
  CHECK(read.section.integer("burst") == 50);
  CHECK(read.section.number("share") == doctest::Approx(0.2));
  CHECK(read.section.duration("timeout") == Duration(10'000));
  CHECK(read.section.size("max") == 1'048'576);
  CHECK(read.section.boolean("on"));
  CHECK(read.section.text("mode") == "forward");
  CHECK(read.section.texts("allow").empty());
  CHECK(read.section.rate("rate").per_second == doctest::Approx(0));
  CHECK_FALSE(read.section.has("burst"));
  CHECK(read.problems.empty());
}

TEST_CASE("written_keys_read_as_written") {
  const Read read(
      "burst: 7\nshare: 5%\ntimeout: 1h\nmax: 2KB\non: false\nmode: spool\nallow: [a, b]\nrate: 100/min\ninner: {x: "
      "1}\n");
  CHECK(read.section.integer("burst") == 7);
  CHECK(read.section.number("share") == doctest::Approx(0.05));
  CHECK(read.section.duration("timeout") == Duration(3'600'000));
  CHECK(read.section.size("max") == 2048);
  CHECK_FALSE(read.section.boolean("on"));
  CHECK(read.section.text("mode") == "spool");
  CHECK(read.section.texts("allow") == std::vector<std::string>{"a", "b"});
  CHECK(read.section.rate("rate").text == "100/min");
  CHECK(read.section.node("inner").at("x").text() == "1");
  CHECK(read.problems.empty());
}

TEST_CASE("one_value_reads_as_a_list_of_one") {
  const Read read("allow: 10.0.0.1\n");
  CHECK(read.section.texts("allow") == std::vector<std::string>{"10.0.0.1"});
}

TEST_CASE("limits_hold_at_their_ends_and_not_beyond") {
  CHECK(Read("burst: 0\ntimeout: 1s\nshare: 1\nmax: 1KB\n").problems.empty());
  CHECK(Read("burst: 1000\ntimeout: 1h\nshare: 0\nmax: 1TB\n").problems.empty());
  CHECK(Read("burst: 1001\n").said() == "a.yaml:1:8: burst is '1001', more than 1000; write 0 to 1000\n");
  CHECK(Read("burst: -1\n").said() == "a.yaml:1:8: burst is '-1', less than 0; write 0 to 1000\n");
  CHECK(Read("timeout: 999ms\n").said() == "a.yaml:1:10: timeout is '999ms', less than 1s; write 1s to 1h\n");
  CHECK(Read("timeout: 61m\n").said() == "a.yaml:1:10: timeout is '61m', more than 1h; write 1s to 1h\n");
  CHECK(Read("max: 1023B\n").said() == "a.yaml:1:6: max is '1023B', less than 1KB; write 1KB or more\n");
}

TEST_CASE("a_wrong_value_is_reported_once_and_reads_as_the_fallback") {
  const Read read("timeout: 10x\n");
  CHECK(read.section.duration("timeout") == Duration(10'000));
  CHECK(read.said() == "a.yaml:1:10: '10x' is not a duration; write 30s, 5m, 12h or 30d\n");
}

TEST_CASE("a_list_where_one_value_belongs_is_reported_by_the_reader") {
  const Read read("allow: [a, b]\nburst: [1]\nmode: {a: b}\n");
  CHECK(read.section.text("allow").empty());
  CHECK(read.said() ==
        "a.yaml:1:8: allow must be a single value, not a list\n"
        "a.yaml:2:8: burst must be a single value, not a list\n"
        "a.yaml:3:7: mode must be text, not a mapping\n");
}

TEST_CASE("a_required_key_is_asked_for_with_its_help") {
  constexpr Setting kRequired[] = {{.key = "path", .required = true, .help = "where webhooks arrive"}};
  CHECK(Read("{}", kRequired).said() == "a.yaml:1:1: key 'path' is missing; write 'path: …', where webhooks arrive\n");
}

TEST_CASE("wrong_points_at_the_value_or_the_mapping") {
  const Read read("burst: 7\n");
  read.section.wrong("burst", "not today", "tomorrow");
  read.section.wrong("rate", "not at all");
  CHECK(read.said() == "a.yaml:1:1: not at all\na.yaml:1:8: not today; tomorrow\n");
}
