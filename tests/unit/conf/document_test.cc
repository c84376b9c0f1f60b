#include <doctest/doctest.h>

#include <string>

#include "base/random.h"
#include "conf/node.h"

using namespace belay;
using namespace belay::conf;

namespace {

struct Parsed {
  Problems problems;
  std::shared_ptr<const Document> document;
  explicit Parsed(std::string_view text) : document(Document::parse(text, "a.yaml", problems)) {}
  std::string said() const { return problems.to_string(); }
};

std::string repeat(std::string_view text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

}  // namespace

TEST_CASE("nodes_know_where_they_stand") {
  const Parsed parsed(
      "# comment\n"
      "sources:\n"
      "  acme:\n"
      "    allow: [10.0.0.1, \"10.0.0.2\"]\n"
      "    empty:\n");
  REQUIRE(parsed.document);
  const Node& acme = parsed.document->root().at("sources").at("acme");
  CHECK(acme.position().to_string() == "a.yaml:4:5");
  CHECK(acme.entries()[0].key_position.to_string() == "a.yaml:4:5");
  const Node& allow = acme.at("allow");
  REQUIRE(allow.items().size() == 2);
  CHECK(allow.items()[1].position().to_string() == "a.yaml:4:23");
  CHECK(allow.items()[1].path() == "sources.acme.allow[1]");
  CHECK(allow.items()[0].quoted() == false);
  CHECK(allow.items()[1].quoted() == true);
  CHECK(acme.at("empty").kind() == Kind::null);
  CHECK(acme.at("empty").position().line == 5);
  CHECK(acme.at("absent").kind() == Kind::missing);
  CHECK(acme.at("absent").at("below").path().empty());
}

TEST_CASE("an_empty_file_is_an_empty_mapping_in_the_making") {
  for (const char* text : {"", "\n\n", "# only a comment\n", "---\n", "\xEF\xBB\xBF"}) {
    CAPTURE(text);
    const Parsed parsed(text);
    REQUIRE(parsed.document);
    CHECK(parsed.document->root().kind() == Kind::null);
    CHECK(parsed.problems.empty());
  }
}

TEST_CASE("a_big_mapping_finds_its_keys") {
  std::string text;
  for (int i = 999; i >= 0; --i) text += "key" + std::to_string(i) + ": " + std::to_string(i) + "\n";
  const Parsed parsed(text);
  REQUIRE(parsed.document);
  CHECK(parsed.document->root().entries().front().key == "key999");
  for (int i = 0; i < 1000; i += 37)
    CHECK(parsed.document->root().at("key" + std::to_string(i)).text() == std::to_string(i));
}

TEST_CASE("a_key_written_twice_is_reported_and_the_first_counts") {
  const Parsed parsed("a: 1\nb: 2\na: 3\na: 4\n");
  REQUIRE(parsed.document);
  CHECK(parsed.document->root().at("a").text() == "1");
  CHECK(parsed.said() ==
        "a.yaml:3:1: key 'a' is written twice; the first one is in line 1; keep one\n"
        "a.yaml:4:1: key 'a' is written twice; the first one is in line 1; keep one\n");
}

TEST_CASE("an_alias_stands_for_a_copy_with_its_own_path") {
  const Parsed parsed("one: &r {first: 1s, list: [a, b]}\ntwo: *r\n");
  REQUIRE(parsed.document);
  const Node& two = parsed.document->root().at("two");
  CHECK(two.at("first").text() == "1s");
  CHECK(two.at("list").items()[1].path() == "two.list[1]");
  CHECK(two.at("first").position().line == 1);
}

TEST_CASE("aliases_that_multiply_are_bounded") {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last + repeat(", " + last, 9) + "]\n";
  }
  const Parsed parsed(text);
  CHECK_FALSE(parsed.document);
  CHECK(parsed.said().find("more than 2097152 values") != std::string::npos);
}

TEST_CASE("an_alias_inside_what_it_names_is_refused") {
  CHECK(Parsed("a: &x [1, *x]\n").said() ==
        "a.yaml:1:11: this alias stands inside what it names; write the value out\n");
}

TEST_CASE("nesting_is_bounded_at_its_limit") {
  const auto nested = [](int depth) {
    return repeat("[", static_cast<size_t>(depth)) + repeat("]", static_cast<size_t>(depth));
  };
  CHECK(Parsed(nested(Document::kMaxDepth)).document);
  CHECK_FALSE(Parsed(nested(Document::kMaxDepth + 1)).document);
  for (const char* piece :
       {"[", "{", "- ", "? ", "{a: ", "[?", "&a ", "*a ", "!", "\"", "'", "|", ">", "%", "[{", ": "}) {
    CAPTURE(piece);
    const Parsed parsed(repeat(piece, 20'000));
    CHECK(parsed.problems.empty() == (parsed.document != nullptr));
  }
}

TEST_CASE("bytes_that_are_not_text_are_refused_where_they_stand") {
  using namespace std::string_literals;
  CHECK(Parsed("a: b\nc: \0d"s).said() ==
        "a.yaml:2:4: a control character that no text file holds; is this the right file?\n");
  CHECK(Parsed("a: \xC3\x28").said() == "a.yaml:1:4: bytes that are not UTF-8; save the file as UTF-8\n");
  CHECK(Parsed("a: \xED\xA0\x80").said() == "a.yaml:1:4: bytes that are not UTF-8; save the file as UTF-8\n");
  CHECK(Parsed("\xFF\xFE"s + "a\0:\0"s).said() == "a.yaml:1:1: bytes that are not UTF-8; save the file as UTF-8\n");
  CHECK(Parsed("a: \xE2\x82\xAC and \xF0\x9F\x98\x80\n").problems.empty());
}

TEST_CASE("a_line_has_a_longest_length") {
  CHECK(Parsed("a: " + std::string(65'536 - 3, 'x')).document);
  CHECK_FALSE(Parsed("a: " + std::string(65'536 - 2, 'x')).document);
}

TEST_CASE("random_edits_of_a_rules_file_never_crash_or_pass_silently") {
  const std::string whole =
      "sources:\n  acme: &a\n    match: {path: /a, methods: [POST]}\n    text: |\n      more\n    q: \"x\\n\" # c\n  "
      "b: *a\n---\n";
  SeededRandom random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string text = whole;
    for (uint64_t edits = 1 + random.next() % 4; edits > 0; --edits) {
      const size_t at = random.next() % text.size();
      constexpr std::string_view kPieces = "[]{}:-?&*!|>'\"%@`#,\n\t \\\0\xFF<~.";
      if (random.next() % 3 == 0) {
        text.erase(at, 1 + random.next() % 5);
      } else {
        text.insert(at, 1, kPieces[random.next() % kPieces.size()]);
      }
      if (text.empty()) text = "a";
    }
    const Parsed parsed(text);
    if (!parsed.document) CHECK_FALSE(parsed.problems.empty());
  }
}

TEST_CASE("a_thousand_problems_are_enough") {
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += "a: 1\n";
  const Parsed parsed(text);
  CHECK(parsed.problems.all().size() == Problems::kMax);
  CHECK(parsed.said().ends_with("\nand 48999 more\n"));
}

TEST_CASE("a_file_that_is_not_there_says_so") {
  Problems problems;
  CHECK_FALSE(Document::load("/nonexistent/belay.yaml", problems));
  CHECK(problems.to_string().starts_with("/nonexistent/belay.yaml: cannot be read: "));
}

TEST_CASE("problems_are_sorted_and_the_same_one_counts_once") {
  Problems problems;
  problems.add({"b.yaml", 1, 1}, "second file");
  problems.add({"a.yaml", 12, 1}, "later", "hint");
  problems.add({"a.yaml", 2, 9}, "earlier");
  problems.add({"a.yaml", 2, 9}, "earlier");
  problems.warn({"a.yaml", 1, 1}, "only a warning");
  CHECK(problems.all().size() == 3);
  CHECK(problems.to_string() == "a.yaml:2:9: earlier\na.yaml:12:1: later; hint\nb.yaml:1:1: second file\n");
  CHECK(problems.warnings_to_string() == "a.yaml:1:1: only a warning\n");
}
