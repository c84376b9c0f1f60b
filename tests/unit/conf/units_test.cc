#include <doctest/doctest.h>

#include <vector>

#include "conf/section.h"

using namespace belay;
using namespace belay::conf;

TEST_CASE("a_duration_is_a_whole_number_and_one_unit") {
  CHECK(parse_duration("500ms")->count() == 500);
  CHECK(parse_duration("30s")->count() == 30'000);
  CHECK(parse_duration("5m")->count() == 300'000);
  CHECK(parse_duration("12h")->count() == 43'200'000);
  CHECK(parse_duration("30d")->count() == 2'592'000'000);
  CHECK(parse_duration("0s")->count() == 0);
  CHECK(parse_duration("36500d").ok());
  for (const char* wrong : {"", "10", "10x", "s", "-5s", "+5s", " 5s", "5 s", "5s ", "1.5s", "1h30m", "5S", "36501d",
                            "99999999999999999999s", "18446744073709551615d"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_duration(wrong).ok());
  }
  CHECK(parse_duration("10x").error().message == "'10x' is not a duration; write 30s, 5m, 12h or 30d");
}

TEST_CASE("a_size_counts_in_powers_of_1024") {
  CHECK(*parse_size("500") == 500);
  CHECK(*parse_size("500B") == 500);
  CHECK(*parse_size("64KB") == 65'536);
  CHECK(*parse_size("10MB") == 10'485'760);
  CHECK(*parse_size("20GB") == 21'474'836'480);
  CHECK(*parse_size("1TB") == 1'099'511'627'776);
  for (const char* wrong : {"", "KB", "10kb", "10K", "10 MB", "-1MB", "1.5MB", "1025TB", "18446744073709551615KB"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_size(wrong).ok());
  }
  CHECK(parse_size("ten").error().message == "'ten' is not a size; write 64KB, 10MB or 20GB");
}

TEST_CASE("a_rate_is_a_count_per_second_minute_or_hour") {
  CHECK(parse_rate("100/s")->per_second == doctest::Approx(100));
  CHECK(parse_rate("90/min")->per_second == doctest::Approx(1.5));
  CHECK(parse_rate("3600/h")->per_second == doctest::Approx(1));
  CHECK(parse_rate("100/min")->text == "100/min");
  for (const char* wrong :
       {"", "100", "100/", "/s", "100/m", "100/day", "0/s", "-1/s", "1.5/s", "100 / s", "4294967296/s"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_rate(wrong).ok());
  }
  CHECK(parse_rate("100/m").error().message == "'100/m' is not a rate; write 100/s, 100/min or 1000/h");
}

TEST_CASE("a_percentage_reads_as_its_fraction") {
  CHECK(*parse_number("0.5") == doctest::Approx(0.5));
  CHECK(*parse_number("50%") == doctest::Approx(0.5));
  CHECK(*parse_number("-2") == doctest::Approx(-2));
  for (const char* wrong : {"", "%", "half", "1,5", "nan", "inf", "1e999", "0x10", " 1"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_number(wrong).ok());
  }
}

TEST_CASE("a_time_is_rfc_3339") {
  CHECK(to_ms(*parse_time("1970-01-01T00:00:00Z")) == 0);
  CHECK(to_ms(*parse_time("2026-01-31T12:30:15Z")) == 1'769'862'615'000);
  CHECK(to_ms(*parse_time("2026-01-31T20:30:15.25+08:00")) == 1'769'862'615'250);
  CHECK(to_ms(*parse_time("2024-02-29T00:00:00-01:30")) == 1'709'170'200'000);
  for (const char* wrong : {"", "2026-01-31", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-31T24:00:00Z",
                            "2026-01-31T00:60:00Z", "2026-01-31T00:00:00", "2026-01-31T00:00:00.Z",
                            "2026-01-31T00:00:00Zz", "2026-01-31T00:00:00+0800", "2026-1-31T00:00:00Z"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_time(wrong).ok());
  }
}

TEST_CASE("the_nearest_word_is_a_typing_slip_away") {
  const std::vector<std::string_view> known = {"path", "methods", "host", "connect_timeout", "to"};
  CHECK(nearest("pth", known) == "path");
  CHECK(nearest("hsot", known) == "host");
  CHECK(nearest("method", known) == "methods");
  CHECK(nearest("Connect-Timeout", known) == "connect_timeout");
  CHECK(nearest("zebra", known).empty());
  CHECK(nearest("x", known).empty());
  CHECK(nearest("", known).empty());
  CHECK(nearest(std::string(10'000, 'a'), known).empty());
}
