// What people read: ages, sizes, columns, foreign text.
#include <doctest/doctest.h>

#include "cli/human.h"
#include "cli/problems_text.h"
#include "cli/table.h"
#include "cli/without_secrets.h"
#include "support/process.h"

using namespace belay;
using namespace belay::cli;

TEST_CASE("durations_show_their_two_largest_units") {
  const std::pair<int64_t, const char*> table[] = {{0, "0ms"},
                                                   {999, "999ms"},
                                                   {1000, "1s"},
                                                   {59'999, "59s"},
                                                   {60'000, "1m"},
                                                   {200'000, "3m 20s"},
                                                   {3'600'000, "1h"},
                                                   {7'500'000, "2h 5m"},
                                                   {7'230'000, "2h"},
                                                   {86'400'000LL * 4 + 3'600'000 * 3, "4d 3h"},
                                                   {-5, "0ms"}};
  for (const auto& [ms, text] : table) CHECK(format_duration(Duration(ms)) == text);
  CHECK(format_microseconds(820) == "820µs");
  CHECK(format_microseconds(1'240) == "1.2ms");
  CHECK(format_microseconds(340'000) == "340ms");
  CHECK(format_microseconds(2'100'000) == "2.1s");
}

TEST_CASE("ages_read_forwards_and_backwards") {
  const WallTime now = wall_from_ms(1'760'000'000'000);
  CHECK(format_age(now, now) == "now");
  CHECK(format_age(now - Duration(999), now) == "now");
  CHECK(format_age(now - Duration(12'000), now) == "12s ago");
  CHECK(format_age(now + Duration(300'000), now) == "in 5m");
  CHECK(format_age(now + Duration(1), now) == "in 1s");
}

TEST_CASE("sizes_and_counts_are_grouped_for_the_eye") {
  CHECK(format_bytes(0) == "0 B");
  CHECK(format_bytes(1023) == "1023 B");
  CHECK(format_bytes(1024) == "1.0 KB");
  CHECK(format_bytes(6200) == "6.1 KB");
  CHECK(format_bytes(uint64_t{20} << 30) == "20.0 GB");
  CHECK(format_count(0) == "0");
  CHECK(format_count(999) == "999");
  CHECK(format_count(1204) == "1,204");
  CHECK(format_count(1'234'567) == "1,234,567");
}

TEST_CASE("foreign_text_cannot_move_the_cursor") {
  CHECK(visible("plain äöü 漢 \xF0\x9F\x98\x80") == "plain äöü 漢 \xF0\x9F\x98\x80");
  CHECK(visible("a\x1b[2Jb") == "a\\x1b[2Jb");
  CHECK(visible("a\nb\rc\td") == "a\\x0ab\\x0dc\\x09d");
  CHECK(visible("\x7f") == "\\x7f");
  CHECK(visible("\xC2\x9B" "31m") == "\\xc2\\x9b31m");                  // C1 CSI
  CHECK(visible("a\xE2\x80\xAE" "b") == "a\\xe2\\x80\\xaeb");            // right-to-left override
  CHECK(visible("a\xE2\x81\xA6" "b") == "a\\xe2\\x81\\xa6b");            // isolate
  CHECK(visible("a\xE2\x80\x8B" "b") == "a\\xe2\\x80\\x8bb");            // zero width
  CHECK(visible("\xFF\xC3") == "\\xff\\xc3");
  CHECK(visible(std::string_view("\0", 1)) == "\\x00");
}

TEST_CASE("long_text_is_cut_between_characters") {
  CHECK(visible("abcdef", 6) == "abcdef");
  CHECK(visible("abcdefg", 6) == "abcde…");
  CHECK(visible("ääääääää", 4) == "äää…");
  CHECK(text_width("äää…") == 4);
}

TEST_CASE("columns_are_aligned_and_end_without_spaces") {
  Table table({{"NAME"}, {"COUNT", Align::right}, {"WHY"}});
  table.add({"crm", "1,204", "ä"});
  table.add({"fulfilment", "7", ""});
  CHECK(table.print(false) ==
        "NAME        COUNT  WHY\n"
        "crm         1,204  ä\n"
        "fulfilment      7\n");
}

TEST_CASE("a_column_without_content_is_left_out_unless_it_must_stay") {
  Table table({{"A"}, {"B"}, {"C", Align::left, true}, {"D"}});
  table.add({"1", "", "", "4"});
  CHECK(table.print(false) == "A  C  D\n1     4\n");
}

TEST_CASE("rows_printed_later_stand_under_the_earlier_ones") {
  Table table({{"ID"}, {"STATE"}});
  table.add({"long-id", "x"});
  CHECK(table.print(false) == "ID       STATE\nlong-id  x\n");
  table.add({"b", "y"});
  CHECK(table.print(false, false) == "b        y\n");
  CHECK(table.empty());
}

TEST_CASE("colours_do_not_change_the_columns") {
  Table table({{"STATE"}, {"N", Align::right}});
  table.add({{"dead", Colour::red}, {"5", Colour::red}});
  CHECK(table.print(true) == "\x1b[1mSTATE\x1b[0m  \x1b[1mN\x1b[0m\n\x1b[31mdead\x1b[0m   \x1b[31m5\x1b[0m\n");
}

TEST_CASE("times_of_the_admin_api_are_read_back") {
  CHECK(read_time("2025-10-09T08:53:20.123Z") == wall_from_ms(1'760'000'000'123));
  CHECK_FALSE(read_time("").has_value());
  CHECK_FALSE(read_time("soon").has_value());
}

TEST_CASE("a_line_of_a_rules_file_is_shown_without_its_literal_secrets") {
  const std::pair<const char*, const char*> table[] = {
      {"    secrets: { signing: abc, other_token: \"de f\" }", "    secrets: { signing: ***, other_token: \"****\" }"},
      {"  auth: { bearer: \"${env:T}\", baerer: abc }", "  auth: { bearer: \"${env:T}\", baerer: *** }"},
      {"  auth: { bearer: \"x ${env:T}\" }, path: /a", "  auth: { bearer: \"**********\" }, path: /a"},
      {"  auth: { jwt: { secret: abc, algorithms: [HS256], issuer: me } }", "  auth: { jwt: { secret: ***, algorithms: [HS256], issuer: me } }"},
      {"  auth: { header: { X-Legacy: abc } }, mode: spool", "  auth: { header: { X-Legacy: *** } }, mode: spool"},
      {"  secrets: { hooks: [abc, \"d,e\", { value: f, valid_until: soon }] }", "  secrets: { hooks: [***, \"***\", { value: *, valid_until: soon }] }"},
      {"  secrets: {hooks:abc, own: {abc", "  secrets: {*********, own: {***"},
      {"  password: [old, new]  # two", "  password: [***, ***]  # two"},
      {"  - bearer: abc: x", "  - bearer: **** *"},
      {"  password: ab,c}d # two", "  password: ****** # two"},
      {"  password: 'a''b', \"c\\\"d\"", "  password: '****'********"},
      {"  crm: { url: \"http://me:abc@127.0.0.1/x?code=abc\", timeout: 1s }", "  crm: { url: \"http://******@127.0.0.1/x?********\", timeout: 1s }"},
      {"  - { value: abc, valid_from: soon }", "  - { value: ***, valid_from: soon }"},
      {"  path: /webhooks/token", "  path: /webhooks/token"},
      {"  token:", "  token:"},
      {"  client_secret: 'never closed", "  client_secret: '************"},
      {"", ""},
  };
  for (const auto& [line, shown] : table) CHECK_EQ(without_secrets(line), shown);
}

TEST_CASE("a_line_below_a_key_of_secrets_is_hidden_whatever_its_own_keys_are") {
  const std::vector<std::string> lines{
      "sources:",                        // 0
      "  shop:",                         // 1
      "    secrets:",                    // 2
      "      hooks:",                    // 3
      "      - abc",                     // 4
      "",                                // 5
      "      # and the one before",      // 6
      "      - |",                       // 7
      "        -----BEGIN KEY-----",     // 8
      "    path: /a",                    // 9
      "    auth:",                       // 10
      "      any:",                      // 11
      "        - header:",               // 12
      "            X-Legacy: abc",       // 13
      "        - jwt:",                  // 14
      "            keys: [a,",           // 15
      "              b]",                // 16
      "  other: { mode: spool }",        // 17
  };
  std::vector<size_t> below;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (below_secret_key(lines, i)) below.push_back(i);
  }
  CHECK_EQ(below, std::vector<size_t>{3, 4, 6, 7, 8, 11, 12, 13, 14, 15, 16});
  CHECK_EQ(without_secrets(lines[4], true), "      - ***");
  CHECK_EQ(without_secrets(lines[8], true), "        *******************");
  CHECK_EQ(without_secrets(lines[13], true), "            X-Legacy: ***");
  CHECK_EQ(without_secrets("            issuer: me", true), "            issuer: me");
}

TEST_CASE("a_problem_is_shown_with_its_line_and_a_caret_and_without_them_when_the_file_is_gone") {
  const test::TempFolder folder;
  const std::string file = folder.write("rules.yaml", "a: 1\r\nb: { tokn: 5, token: abc }\r\n");
  conf::Problems problems;
  problems.add({file, 2, 6}, "unknown key 'tokn'", "did you mean 'token'?");
  problems.add({file, 1, 1}, "bad expression", "write\n    x\n    ^");
  problems.add({folder / "none.yaml", 3, 3}, "not there");
  CHECK_EQ(problems_text(problems), folder / "none.yaml" + ":3:3: not there\n" + file + ":1:1: bad expression; write\n    x\n    ^\n" + file +
                                        ":2:6: unknown key 'tokn'; did you mean 'token'?\n    b: { tokn: 5, token: *** }\n         ^\n");
}
