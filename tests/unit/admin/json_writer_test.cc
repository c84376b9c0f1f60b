// The JSON writer and the form of times.
#include <doctest/doctest.h>

#include "admin/json_writer.h"
#include "admin/parameters.h"

using namespace belay;
using namespace belay::admin;

TEST_CASE("json_has_its_commas_and_brackets_in_place") {
  JsonWriter json;
  json.begin_object().field("a", 1).name("b").begin_array().number(int64_t{-1}).text("x").begin_object().end_object();
  json.begin_array().end_array().null().end_array().optional_field("left_out", "").field("c", true).name("d").seconds(1.5).end_object();
  CHECK(json.take() == R"({"a":1,"b":[-1,"x",{},[],null],"c":true,"d":1.500})");
}

TEST_CASE("times_are_rfc_3339_in_utc_with_milliseconds") {
  CHECK(format_time(wall_from_ms(0)) == "1970-01-01T00:00:00.000Z");
  CHECK(format_time(wall_from_ms(1'709'210'096'007)) == "2024-02-29T12:34:56.007Z");
  CHECK(format_time(wall_from_ms(-1)) == "1969-12-31T23:59:59.999Z");
  CHECK(format_time(WallTime::max()).size() == 24);
  CHECK(format_time(WallTime::min()).size() == 24);
}

TEST_CASE("a_moment_is_a_duration_ago_a_date_or_a_time") {
  const WallTime now = wall_from_ms(1'760'000'000'000);
  CHECK(*parse_moment("24h", now) == now - std::chrono::hours(24));
  CHECK(*parse_moment("30s", now) == now - std::chrono::seconds(30));
  CHECK(*parse_moment("7d", now) == now - std::chrono::hours(7 * 24));
  CHECK(*parse_moment("2025-10-09", now) == wall_from_ms(1'759'968'000'000));
  CHECK(*parse_moment("2025-10-09T08:53:20Z", now) == now);
  CHECK(*parse_moment("2025-10-09T10:53:20+02:00", now) == now);
  for (const char* wrong : {"", "24", "-1h", "1 h", "yesterday", "2025-10-9", "2025-13-01", "2025-10-09T08:53", "1h2"}) {
    CAPTURE(wrong);
    const auto moment = parse_moment(wrong, now);
    REQUIRE_FALSE(moment.ok());
    CHECK(moment.error().message.find("24h") != std::string::npos);
  }
}
