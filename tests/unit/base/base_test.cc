#include <doctest/doctest.h>

#include <random>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/host.h"
#include "base/id.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/masked_url.h"
#include "base/text_finder.h"

using namespace belay;

TEST_CASE("base64_decodes_what_it_encodes_and_refuses_other_alphabets") {
  CHECK_EQ(base64_encode("any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw==");
  CHECK_EQ(*base64_decode("YW55IGNhcm5hbCBwbGVhcw=="), "any carnal pleas");
  CHECK_EQ(*base64_decode("YW55IGNhcm5hbCBwbGVhcw"), "any carnal pleas");
  CHECK_FALSE(base64_decode("YW55IGNhcm5hbCBwbGVhcw=").has_value());
  CHECK_FALSE(base64_decode("YW5-").has_value());
  CHECK_FALSE(base64_decode("YW5!").has_value());
  CHECK_FALSE(base64_decode("YX==").has_value());  // spare bits set
  CHECK_EQ(base64url_encode("\xfb\xff"), "-_8");
  CHECK_EQ(*base64url_decode("-_8"), "\xfb\xff");
}

TEST_CASE("every_word_of_log_level_has_its_level_and_a_level_can_change_later") {
  CHECK(log::level_of("debug") == log::Level::debug);
  CHECK(log::level_of("warn") == log::Level::warn);
  CHECK(log::level_of("error") == log::Level::error);
  CHECK(log::level_of("alert") == log::Level::alert);
  CHECK(log::level_of("loud") == log::Level::info);
  log::init("test", log::level_of("alert"));
  CHECK_FALSE(log::enabled(log::Level::error));
  log::set_level(log::Level::warn);
  CHECK(log::enabled(log::Level::error));
  CHECK_FALSE(log::enabled(log::Level::info));
}

TEST_CASE("hex_decodes_either_case_and_refuses_odd_lengths") {
  CHECK_EQ(*hex_decode("00fFa0"), std::string("\x00\xff\xa0", 3));
  CHECK_FALSE(hex_decode("0").has_value());
  CHECK_FALSE(hex_decode("0g").has_value());
}

TEST_CASE("crc32c_matches_the_published_check_value_in_both_forms") {
  CHECK_EQ(crc32c("123456789"), 0xE3069283U);
  CHECK_EQ(crc32c_table("123456789"), 0xE3069283U);
  CHECK_EQ(crc32c("6789", crc32c("12345")), 0xE3069283U);
}

TEST_CASE("ids_ascend_inside_a_millisecond_and_when_the_clock_steps_back") {
  ManualClock clock;
  SeededRandom random(7);
  IdGenerator generator(clock, random);
  MessageId last = generator.next();
  for (int i = 0; i < 10'000; ++i) {
    if (i == 5'000) clock.set_wall(clock.wall() - std::chrono::hours(1));
    const MessageId id = generator.next();
    REQUIRE(last < id);
    last = id;
  }
  CHECK_EQ(*MessageId::parse(last.to_string()), last);
  CHECK_FALSE(MessageId::parse("0190a5b0-0000-7000-8000-00000000000").has_value());
}

TEST_CASE("cidr_refuses_host_bits_and_names_the_block_meant") {
  CHECK(Cidr::parse("10.0.0.0/8")->contains(*IpAddress::parse("10.255.0.1")));
  CHECK_FALSE(Cidr::parse("10.0.0.0/8")->contains(*IpAddress::parse("11.0.0.1")));
  CHECK(Cidr::parse("2001:db8::/32")->contains(*IpAddress::parse("2001:db8::7")));
  const auto wrong = Cidr::parse("10.0.0.1/8");
  REQUIRE_FALSE(wrong.ok());
  CHECK_NE(wrong.error().message.find("write 10.0.0.0/8"), std::string::npos);
  CHECK_FALSE(Cidr::parse("10.0.0.0/33").ok());
}

TEST_CASE("a_host_has_one_key_in_every_spelling") {
  for (const char* host : {"hooks.example.test", "HOOKS.Example.test:8443", "hooks.example.test.", "hooks.example.test..:80"}) {
    CHECK_EQ(host_key(host), "hooks.example.test");
  }
  for (const char* host : {"[::1]", "[::1]:8443", "[0:0::1]", "[0:0:0:0:0:0:0:1]:80"}) CHECK_EQ(host_key(host), "[::1]");
  CHECK_EQ(host_key("[2001:DB8::A]:80"), "[2001:db8::a]");
  CHECK_EQ(host_key("192.0.2.1:80"), "192.0.2.1");
  CHECK_EQ(host_key("*.Example.test"), "*.example.test");
  for (const char* host : {"", ":8080", ".", "..:80"}) CHECK_EQ(host_key(host), "");
  CHECK_EQ(host_key("[::1"), "[::1");  // refused elsewhere
}

TEST_CASE("json_strings_escape_controls_and_replace_bytes_that_are_not_utf8") {
  std::string out;
  append_json_string(out, "a\"\\\n\x7f\xc3\xa9\xff\xed\xa0\x80");
  CHECK_EQ(out, "\"a\\\"\\\\\\u000a\\u007f\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

TEST_CASE("json_strings_escape_the_controls_behind_ascii_that_terminals_obey") {
  std::string out;
  append_json_string(out, "\xc2\x80\xc2\x9b" "31m\xc2\x9f\xc2\xa0\xc3\x80");
  CHECK_EQ(out, "\"\\u0080\\u009b31m\\u009f\xc2\xa0\xc3\x80\"");
}

TEST_CASE("a_json_string_of_many_escapes_is_that_of_its_pieces") {
  const std::string_view pieces[] = {"\"", "\\", "a", "\n", "\xc3\xa9", "plain text", "\"\"\"\"", "\xff"};
  SeededRandom random(7);
  for (int round = 0; round < 200; ++round) {
    std::string text, expected = "\"", whole;
    for (uint64_t count = random.next() % 600; count > 0; --count) {
      const std::string_view piece = pieces[random.next() % std::size(pieces)];
      std::string alone;
      append_json_string(alone, piece);
      text += piece;
      expected += alone.substr(1, alone.size() - 2);
    }
    append_json_string(whole, text);
    REQUIRE_EQ(whole, expected + '"');
  }
}

TEST_CASE("a_url_is_shown_without_who_logs_in_there_and_without_its_query") {
  const std::pair<const char*, const char*> table[] = {
      {"https://example.com/in", "https://example.com/in"},
      {"https://example.com/in?code=abc&x", "https://example.com/in?***"},
      {"https://example.com/in?", "https://example.com/in?"},
      {"http://me:abc@example.com/", "http://***@example.com/"},
      {"http://me:a/b@c@example.com?d=e@f", "http://***@example.com?***"},
      {"unix:/run/app.sock:/in?k=abc", "unix:/run/app.sock:/in?***"},
      {"$query.a == 'x' ? 1 : 2", "$query.a == 'x' ? 1 : 2"},
      {"'see http://me:abc@example.com/?a'", "'see http://***@example.com/?a'"},
      {"", ""},
  };
  for (const auto& [url, shown] : table) CHECK_EQ(masked_url(url), shown);
}

TEST_CASE("a_text_is_found_wherever_it_stands_by_a_rare_byte_and_without_one") {
  std::mt19937 random(5);
  const auto text = [&](size_t size, const std::string& letters) {
    std::string made(size, ' ');
    for (char& c : made) c = letters[random() % letters.size()];
    return made;
  };
  for (const char* letters : {"ab", "abcdefghijklmnopqrstuvwxyz"}) {
    for (int i = 0; i < 500; ++i) {
      const std::string first = text(5'000, letters), wanted = text(random() % 6, letters) + (i % 2 == 0 ? "X" : "") + text(random() % 3, letters);
      TextFinder finder(wanted);
      CAPTURE(wanted);
      CHECK_EQ(finder.in(first), first.find(wanted) != std::string::npos);
      for (size_t size = 0; size < 12; ++size) {
        std::string other = text(size, letters);
        CHECK_EQ(finder.in(other), other.find(wanted) != std::string::npos);
        other.insert(random() % (size + 1), wanted);
        CHECK(finder.in(other));
        CHECK(finder.in(wanted + other));
        CHECK(finder.in(first + wanted));
      }
    }
  }
}
