// 89 raw requests with the required answer (tests/data/http-hardening.json), through the real proxy, with a recording
// backend behind it: nothing of a refused request may reach it, and an accepted one must be exactly one request there.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/bytes.h"
#include "support/backend.h"
#include "support/gateway.h"

using namespace belay;
using namespace belay::test;

namespace {

struct Case {
  std::string name, bytes, required;
};

// The file is a flat list of objects with three string members in fixed order; a JSON parser of ours would be judging itself.
std::vector<Case> load_cases() {
  const std::string text = read_text(source_folder() + "/tests/data/http-hardening.json");
  const auto member = [&](size_t& at, const std::string& key) {
    const std::string opening = "\"" + key + "\": \"";
    at = text.find(opening, at);
    if (at == std::string::npos) return std::string();
    at += opening.size();
    const size_t end = text.find('"', at);
    return text.substr(at, end - at);
  };
  std::vector<Case> cases;
  for (size_t at = 0;;) {
    Case one;
    one.name = member(at, "name");
    if (at == std::string::npos) return cases;
    one.bytes = base64_decode(member(at, "request_base64")).value_or("");
    one.required = member(at, "required");
    cases.push_back(one);
  }
}

std::string rules(const Backend& backend) {
  return "sources:\n  all:\n    match: { path: \"/*\", methods: [GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS] }\n    trust: open\n"
         "    routes: [{ to: backend }]\n"
         "destinations:\n  backend: { url: \"http://" +
         backend.address() + "\", timeout: 2s }\n";
}

// Answers until the peer closes or falls silent; a half close makes a proxy that waits for more give up.
std::vector<int> statuses_of(const std::string& address, const Case& one, size_t expected) {
  std::vector<int> statuses;
  Connection connection(address);
  connection.send(one.bytes);
  while (statuses.size() < expected) {
    const auto answer = connection.read_answer(false, Milliseconds(3'000));
    if (!answer) break;
    statuses.push_back(answer->status);
  }
  connection.shutdown_write();
  while (const auto more = connection.read_answer(false, Milliseconds(300))) statuses.push_back(more->status);
  return statuses;
}

}  // namespace

TEST_CASE("every_case_of_the_hardening_table_is_decided_right_and_nothing_refused_reaches_the_backend") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend)});
  const auto cases = load_cases();
  REQUIRE_EQ(cases.size(), 89);
  int wrong = 0;
  for (const Case& one : cases) {
    CAPTURE(one.name);
    const size_t before = backend.seen_count();
    const size_t expected = one.required == "accept two" ? 2 : 1;
    const auto statuses = statuses_of(gateway.address(), one, expected);
    const auto seen = backend.seen();
    const size_t reached = seen.size() - before;
    const bool accepted = !statuses.empty() && statuses.front() / 100 == 2;
    bool right = false;
    if (one.required.starts_with("accept")) {
      right = accepted && statuses.size() == expected && reached == expected;
    } else if (one.required == "reject" || !accepted) {
      right = !accepted && reached == 0 && (statuses.empty() || statuses.front() >= 400);
    } else {  // sanitised: one clean request, nothing smuggled behind it
      right = reached == 1 && seen.back().target.find("smuggled") == std::string::npos;
    }
    if (!right) ++wrong;
    CHECK_MESSAGE(right, one.name, ": required ", one.required, ", first status ", statuses.empty() ? 0 : statuses.front(), ", ", reached,
                  " reached the backend");
  }
  CHECK_EQ(wrong, 0);
}

TEST_CASE("every_case_behaves_the_same_when_it_arrives_byte_by_byte") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend)});
  for (const Case& one : load_cases()) {
    CAPTURE(one.name);
    const size_t before = backend.seen_count();
    Connection connection(gateway.address());
    for (const char c : one.bytes) {
      if (!connection.send({&c, 1})) break;
    }
    const auto answer = connection.read_answer(false, Milliseconds(2'000));
    connection.shutdown_write();
    connection.read_all(Milliseconds(300));
    if (one.required == "reject") {
      CHECK_EQ(backend.seen_count(), before);
      if (answer) CHECK_GE(answer->status, 400);
    } else if (one.required.starts_with("accept")) {
      REQUIRE(answer.has_value());
      CHECK_EQ(answer->status, 200);
      CHECK_EQ(backend.seen_count() - before, one.required == "accept two" ? 2 : 1);
    }
  }
}
