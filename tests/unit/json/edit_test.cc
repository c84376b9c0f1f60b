#include "json/edit.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

using namespace belay;
using json::Edit;

namespace {

using Build = std::function<Result<void>(Edit&)>;

void make(Edit& edit, const std::vector<Build>& changes) {
  for (const Build& change : changes) {
    const auto done = change(edit);
    REQUIRE_MESSAGE(done.ok(), (done ? std::string() : done.error().message));
  }
  REQUIRE(edit.finish().ok());
}

Build setting(std::string_view path) {
  return [path](Edit& edit) { return edit.set(path); };
}
Build removing(std::string_view path) {
  return [path](Edit& edit) { return edit.remove(path); };
}
Build keeping(std::string_view path) {
  return [path](Edit& edit) { return edit.keep(path); };
}
Build renaming(std::string_view path, std::string_view name) {
  return [path, name](Edit& edit) { return edit.rename(path, name); };
}

std::string apply(std::string_view text, const std::vector<Build>& changes, const std::vector<std::string_view>& values = {},
                  Edit::Absent absent = Edit::Absent::refuse) {
  Edit edit;
  make(edit, changes);
  const auto document = json::Document::parse(text);
  REQUIRE(document.ok());
  std::string out;
  const auto done = edit.apply(**document, values, absent, out);
  return done ? out : "error: " + done.error().message;
}

std::string refusal(const std::vector<Build>& changes) {
  Edit edit;
  for (const Build& change : changes) {
    if (const auto done = change(edit); !done) return done.error().message;
  }
  const auto done = edit.finish();
  return done ? "accepted" : done.error().message;
}

}  // namespace

TEST_CASE("a_set_value_stands_in_place_of_the_old_one_and_nothing_else_moves") {
  CHECK_EQ(apply(R"({ "big": 12345678901234567890 ,"price": 100.10,  "s":"a\u00e9" , "status" : "new"  })", {setting("status")}, {"\"done\""}),
           R"({ "big": 12345678901234567890 ,"price": 100.10,  "s":"a\u00e9" , "status" : "done"  })");
  CHECK_EQ(apply(R"({"a":{"b":[1, {"c" : 1e2}]}})", {setting("a.b[1].c"), setting("a.b[0]")}, {"7", "{}"}), R"({"a":{"b":[{}, {"c" : 7}]}})");
  CHECK_EQ(apply("\n {\"a\":1}\r\n", {setting("a")}, {"2"}), "\n {\"a\":2}\r\n");
  CHECK_EQ(apply(R"([ {"x":1}, {"x":2} ])", {setting("[*].x")}, {"null"}), R"([ {"x":null}, {"x":null} ])");
}

TEST_CASE("a_set_member_that_is_not_there_comes_behind_the_others_in_their_spacing") {
  CHECK_EQ(apply("{\n  \"a\": 1,\n  \"b\": 2\n}", {setting("c")}, {"3"}), "{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}");
  CHECK_EQ(apply(R"({"a": 1})", {setting("b")}, {"2"}), R"({"a": 1,"b": 2})");
  CHECK_EQ(apply("{}", {setting("b")}, {"2"}), R"({"b":2})");
  CHECK_EQ(apply("{ }", {setting("x.y.z"), setting("x.w")}, {"1", "2"}), R"({ "x":{"y":{"z":1},"w":2}})");
  CHECK_EQ(apply(R"({"x":null})", {setting("x.y")}, {"1"}), R"({"x":{"y":1}})");
}

TEST_CASE("a_removed_member_takes_one_comma_with_it") {
  constexpr std::string_view kText = R"({ "a": 1 , "b": 2 ,  "c": 3 })";
  CHECK_EQ(apply(kText, {removing("a")}), R"({ "b": 2 ,  "c": 3 })");
  CHECK_EQ(apply(kText, {removing("b")}), R"({ "a": 1 ,  "c": 3 })");
  CHECK_EQ(apply(kText, {removing("c")}), R"({ "a": 1 , "b": 2 })");
  CHECK_EQ(apply(kText, {removing("a"), removing("b")}), R"({ "c": 3 })");
  CHECK_EQ(apply(kText, {removing("b"), removing("c")}), R"({ "a": 1 })");
  CHECK_EQ(apply(kText, {removing("a"), removing("c")}), R"({ "b": 2 })");
  CHECK_EQ(apply(kText, {removing("a"), removing("b"), removing("c")}), "{}");
  CHECK_EQ(apply(kText, {removing("a"), removing("b"), removing("c"), setting("d")}, {"4"}), R"({ "d": 4 })");
  CHECK_EQ(apply(kText, {removing("none"), removing("a.b.c")}), kText);
  CHECK_EQ(apply("{ }", {removing("none")}), "{ }");
}

TEST_CASE("elements_of_a_list_keep_the_numbers_they_came_with") {
  CHECK_EQ(apply("[0, 1, 2, 3]", {removing("[0]"), removing("[2]"), setting("[3]")}, {"9"}), "[1, 9]");
  CHECK_EQ(apply(R"({"l":[{"a":1,"b":2},{"b":3}]})", {removing("l[*].b")}), R"({"l":[{"a":1},{}]})");
  CHECK_EQ(apply("[1,2]", {removing("[7]")}), "[1,2]");
  CHECK_EQ(apply("[1,2]", {setting("[2]")}, {"9"}), "error: no such key: [2]");
  CHECK_EQ(apply("[1,[2],3]", {removing("[*]")}), "[]");
}

TEST_CASE("a_renamed_member_stays_where_it_is") {
  CHECK_EQ(apply(R"({ "entityId" : 7, "b":1 })", {renaming("entityId", "id")}), R"({ "id" : 7, "b":1 })");
  CHECK_EQ(apply(R"({"a":1,"b":2})", {renaming("a", "b"), renaming("b", "a")}), R"({"b":1,"a":2})");
  CHECK_EQ(apply(R"({"a":1,"b":2})", {renaming("a", "b"), removing("b")}), R"({"b":1})");
  CHECK_EQ(apply(R"({"a":1})", {renaming("a", "say \"x\""), setting("a")}, {"2"}), R"({"say \"x\"":2})");
  CHECK_EQ(apply(R"({"a":1,"b":2})", {renaming("a", "b")}), "error: rename a: 'b' is there already");
  CHECK_EQ(apply(R"({"b":2})", {setting("a.x"), renaming("a", "b")}, {"1"}), "error: rename a: 'b' is there already");
  CHECK_EQ(apply(R"({"b":2})", {renaming("a", "c")}), "error: no such key: a");
  CHECK_EQ(apply(R"({"b":2})", {renaming("a", "c")}, {}, Edit::Absent::ignore), R"({"b":2})");
  CHECK_EQ(apply(R"({"b":2})", {renaming("b.x", "c")}), "error: no such key: b.x");
  CHECK_EQ(apply(R"({"b":2})", {renaming("a", "c"), setting("a")}, {"1"}), R"({"b":2,"c":1})");
}

TEST_CASE("keep_leaves_what_it_names_and_what_set_and_rename_name") {
  constexpr std::string_view kText = R"({ "order": {"id": 1, "x": 2}, "assets": [1 ,2], "secret": "s", "n": 3 })";
  CHECK_EQ(apply(kText, {keeping("order"), keeping("assets")}), R"({ "order": {"id": 1, "x": 2}, "assets": [1 ,2] })");
  CHECK_EQ(apply(kText, {keeping("order.id"), setting("status")}, {"\"ok\""}), R"({ "order": {"id": 1}, "status": "ok" })");
  CHECK_EQ(apply(kText, {keeping("order"), removing("order.id"), renaming("n", "count")}), R"({ "order": {"x": 2}, "count": 3 })");
  CHECK_EQ(apply(kText, {keeping("none")}), "{}");
  CHECK_EQ(apply(kText, {keeping("n.deeper")}), "{}");
  CHECK_EQ(apply(kText, {keeping("n"), renaming("order", "secret")}), R"({ "secret": {"id": 1, "x": 2}, "n": 3 })");
  CHECK_EQ(apply(R"({"l":[{"a":1,"b":2},5,{"b":3}]})", {keeping("l[*].a")}), R"({"l":[{"a":1},{}]})");
  CHECK_EQ(apply("[1]", {keeping("a")}), "error: the payload is a JSON array, keep names what is inside another type");
}

TEST_CASE("names_may_hold_dots_brackets_quotes_and_escapes") {
  CHECK_EQ(apply(R"({"a.b":{"c":1},"d[0]":2})", {setting(R"(["a.b"].c)"), removing(R"("d[0]")")}, {"5"}), R"({"a.b":{"c":5}})");
  CHECK_EQ(apply(R"({"\u00e9\n":1, "x'":2})", {removing("\u00e9\n"), removing(R"("x'")")}), "{}");
  CHECK_EQ(apply(R"({"a\"\\b":1})", {removing(R"(["a\"\\b"])")}), "{}");
}

TEST_CASE("what_does_not_fit_the_payload_is_an_error") {
  CHECK_EQ(apply(R"({"a":5})", {setting("a.b")}, {"1"}), "error: 'a' leads into a JSON number");
  CHECK_EQ(apply(R"({"a":{}})", {setting("a[0]")}, {"1"}), "error: 'a' leads into a JSON object");
  CHECK_EQ(apply(R"({})", {setting("a[0]")}, {"1"}), "error: no such key: a[0]");
  CHECK_EQ(apply("5", {setting("a")}, {"1"}), "error: 'the payload' leads into a JSON number");
}

TEST_CASE("a_value_that_is_left_out_changes_nothing") {
  CHECK_EQ(apply(R"({"a":5})", {setting("a"), setting("b.c")}, {std::string_view(), std::string_view()}), R"({"a":5})");
}

TEST_CASE("changes_that_contradict_are_refused_when_rules_load") {
  CHECK_EQ(refusal({setting("a"), setting("a")}), "'a' is named by set already");
  CHECK_EQ(refusal({setting("a"), setting("a.b")}), "'a.b' lies inside 'a', which set names");
  CHECK_EQ(refusal({setting("a.b"), setting("a")}), "'a.b' lies inside 'a', which set names");
  CHECK_EQ(refusal({removing("a"), keeping("a.b")}), "'a.b' lies inside 'a', which remove names");
  CHECK_EQ(refusal({keeping("a"), removing("a")}), "'a' is named by keep already");
  CHECK_EQ(refusal({removing("a"), renaming("a", "b")}), "'a' is named by remove already");
  CHECK_EQ(refusal({renaming("a", "c"), renaming("b", "c")}), "both 'a' and 'b' would become 'c'");
  CHECK_EQ(refusal({renaming("a", "b"), setting("b.x")}), "both 'a' and 'b' would become 'b'");
  CHECK_EQ(refusal({setting("l[0]"), setting("l[*]")}), "'l[*]' and 'l[0]' cannot stand together: name either members, or elements by number, or every element");
  CHECK_EQ(refusal({setting("l[0]"), setting("l.x")}), "'l.x' and 'l[0]' cannot stand together: name either members, or elements by number, or every element");
  CHECK_EQ(refusal({renaming("l[0]", "x")}), "'l[0]' is an element: only members have names");
  CHECK_EQ(refusal({keeping("a"), keeping("a.b"), setting("a.b"), renaming("a.b", "c")}), "accepted");
}

TEST_CASE("a_path_says_where_it_is_wrong") {
  CHECK_EQ(refusal({setting("")}), "'' is no path: expected a name at byte 0");
  CHECK_EQ(refusal({setting("a..b")}), "'a..b' is no path: expected a name at byte 2");
  CHECK_EQ(refusal({setting("a.")}), "'a.' is no path: expected a name at byte 2");
  CHECK_EQ(refusal({setting("a[x]")}), "'a[x]' is no path: expected a number up to 999999, '*' or a name in quotes at byte 2");
  CHECK_EQ(refusal({setting("a[1")}), "'a[1' is no path: expected ']' at byte 3");
  CHECK_EQ(refusal({setting("a[\"b")}), "'a[\\\"b' is no path: expected the closing quote at byte 4");
  CHECK_EQ(refusal({setting("a]")}), "'a]' is no path: expected '.' or '[' at byte 1");
  CHECK_EQ(refusal({setting("a\xFF")}), "'a\\xff' is no path: it is not UTF-8");
  CHECK_EQ(refusal({renaming("a", "\xFF")}), "'\\xff' is no name: it is not UTF-8");
  std::string deep = "a";
  for (size_t i = 1; i < json::kMaxPathSteps; ++i) deep += ".a";
  CHECK_EQ(refusal({setting(deep)}), "accepted");
  deep += ".a";
  CHECK(refusal({setting(deep)}).find("more than 32 steps") != std::string::npos);
}

TEST_CASE("an_edit_has_at_most_1000_changes_and_64_MB_of_output") {
  Edit edit;
  for (size_t i = 0; i < Edit::kMaxChanges; ++i) REQUIRE(edit.remove("m" + std::to_string(i)).ok());
  CHECK_FALSE(edit.remove("one.more").ok());
  std::string list = "[0";
  for (int i = 0; i < 2000; ++i) list += ",0";
  const std::string value = '"' + std::string(size_t{40} << 10, 'x') + '"';
  CHECK_EQ(apply(list + "]", {setting("[*]")}, {value}), "error: the edited payload is larger than 64 MB");
}

TEST_CASE("members_added_to_every_element_end_at_64_MB_of_output_too") {
  const std::string value = '"' + std::string((size_t{1} << 20) - 2, 'x') + '"';
  const auto written = [&value](const std::string& element, size_t count, const std::vector<Build>& sets) {
    std::string list = "[" + element;
    for (size_t i = 1; i < count; ++i) list += "," + element;
    Edit edit;
    make(edit, sets);
    const std::string text = list + "]";  // the document points into it
    const auto document = json::Document::parse(text);
    REQUIRE(document.ok());
    std::string out;
    const auto done = edit.apply(**document, std::vector<std::string_view>(sets.size(), value), Edit::Absent::refuse, out);
    CHECK_EQ(done.ok(), out.size() <= Edit::kMaxOutput);
    CHECK_EQ(done.ok(), count * sets.size() < 64);
    return out.size();
  };
  // An error comes at once, not when the last element is done.
  constexpr size_t kMost = Edit::kMaxOutput + (size_t{2} << 20);
  CHECK_LE(written("{}", 200, {setting("[*].added")}), kMost);
  CHECK_LE(written(R"({"a":1})", 200, {setting("[*].made.added")}), kMost);
  CHECK_LE(written("null", 200, {setting("[*].made.added")}), kMost);
  CHECK_LE(written("{}", 63, {setting("[*].added")}), Edit::kMaxOutput);
  std::vector<Build> many;
  std::vector<std::string> names;
  for (size_t i = 0; i < 200; ++i) names.push_back("[0].m" + std::to_string(i));
  for (const std::string& name : names) many.push_back(setting(name));
  CHECK_LE(written("{}", 1, many), kMost);
}
