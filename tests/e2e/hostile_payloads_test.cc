// Payloads at the edge, through a running gateway whose route reads them: the corpus of tests/support/json_edge.h and bombs of other
// kinds. What can be read is forwarded byte for byte, everything else is 400 and reaches no backend, and each has its answer soon.
#include <doctest/doctest.h>

#include <sys/types.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/backend.h"
#include "support/compress.h"
#include "support/gateway.h"
#include "support/json_edge.h"

using namespace belay::test;

namespace {

constexpr size_t kLargest = 10'000'000;  // of a body, below the default of proxy.limits.body

// The target is 100 ms of the processor (the slowest is printed); sanitizers need more, what grows with a square far more.
constexpr int64_t kSoon = 1500;

// What a process has spent on the processor.
int64_t milliseconds_of(pid_t pid) { return std::stoll(read_text("/proc/" + std::to_string(pid) + "/schedstat")) / 1'000'000; }

class Route {
 public:
  Route()
      : gateway_(folder_, {.rules = R"(sources:
  edge:
    match: { path: /edge }
    trust: open
    routes: [{ when: "size([$body]) == 1", to: backend }]
destinations:
  backend: { url: "http://)" + backend_.address() + R"(", timeout: 30s }
)", .proxy = "  workers: 1\n"}), worker_(gateway_.workers().at(0)) {}
  ~Route() { MESSAGE("slowest: ", slowest_name_, ", ", slowest_, " ms"); }

  // The status; 0: none came.
  int send(const std::string& name, const Headers& headers, const std::string& body) {
    const int64_t start = milliseconds_of(worker_);
    const auto answer = send_once(gateway_.address(), request("POST", "/edge", headers, body));
    const int64_t spent = milliseconds_of(worker_) - start;
    CHECK_MESSAGE(spent < kSoon, name, ": ", spent, " ms");
    if (spent > slowest_) slowest_name_ = name;
    slowest_ = std::max(slowest_, spent);
    if (answer && answer->status == 400) CHECK_MESSAGE(answer->body.find("decode: ") != std::string::npos, answer->body);
    return answer ? answer->status : 0;
  }
  // Whether what has not been looked at yet of the backend's record is exactly `body`.
  bool forwarded(const std::string& body) {
    const auto seen = backend_.seen();
    const bool one = seen.size() == forwarded_ + 1 && seen.back().sha256 == sha256_hex(body);
    forwarded_ = seen.size();
    return one;
  }
  bool nothing_forwarded() const { return backend_.seen_count() == forwarded_; }

 private:
  const TempFolder folder_;
  const Backend backend_{folder_};
  const Gateway gateway_;
  const pid_t worker_;
  size_t forwarded_ = 0;
  int64_t slowest_ = 0;
  std::string slowest_name_;
};

std::string repeated(const std::string& text, size_t count) {
  std::string out;
  out.reserve(text.size() * count);
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

}  // namespace

TEST_CASE("hostile payloads: every_edge_of_json_is_forwarded_as_it_came_or_refused_and_soon") {
  Route route;
  for (const JsonEdge& edge : json_edges(kLargest)) {
    INFO(edge.name);
    CHECK_EQ(route.send(edge.name, {{"Content-Type", "application/json"}}, edge.text), edge.accepted ? 200 : 400);
    CHECK((edge.accepted ? route.forwarded(edge.text) : route.nothing_forwarded()));
  }
}

TEST_CASE("hostile payloads: bombs_of_other_kinds_are_refused_soon") {
  struct Bomb {
    std::string name;
    Headers headers;
    std::string body;
  };
  const std::string json = "application/json", xml = "text/xml", form = "application/x-www-form-urlencoded";
  const std::string blanks = compress("[" + std::string(size_t{64} << 20, ' ') + "]");
  std::string entities = "<!DOCTYPE a [<!ENTITY e0 \"ha\">";
  for (int i = 1; i < 30; ++i) entities += "<!ENTITY e" + std::to_string(i) + " \"&e" + std::to_string(i - 1) + ";&e" + std::to_string(i - 1) + ";\">";
  std::string attributes = "<a";
  for (int i = 0; i < 20'000; ++i) attributes += " a" + std::to_string(i) + "=''";
  const std::vector<Bomb> bombs = {
      {"64 MB of blanks in gzip", {{"Content-Type", json}, {"Content-Encoding", "gzip"}}, blanks},
      {"gzip in gzip", {{"Content-Type", json}, {"Content-Encoding", "gzip, gzip"}}, compress(blanks)},
      {"gzip three times", {{"Content-Type", json}, {"Content-Encoding", "gzip, gzip, gzip"}}, compress(compress(blanks))},
      {"gzip that is none", {{"Content-Type", json}, {"Content-Encoding", "gzip"}}, std::string(kLargest, 'x')},
      {"gzip cut short", {{"Content-Type", json}, {"Content-Encoding", "gzip"}}, blanks.substr(0, blanks.size() / 2)},
      {"entities of entities", {{"Content-Type", xml}}, entities + "]><a>&e29;</a>"},
      {"elements inside each other", {{"Content-Type", xml}}, repeated("<a>", kLargest / 3)},
      {"elements beside each other", {{"Content-Type", xml}}, "<a>" + repeated("<b/>", kLargest / 4 - 2) + "</a>"},
      {"attributes of one element", {{"Content-Type", xml}}, attributes + "/>"},
      {"one endless tag", {{"Content-Type", xml}}, "<" + std::string(kLargest - 1, 'a')},
      {"one endless comment", {{"Content-Type", xml}}, "<!--" + std::string(kLargest - 4, 'a')},
      {"form fields without end", {{"Content-Type", form}}, repeated("a=1&", kLargest / 4)},
      {"ampersands in UTF-16 that is none", {{"Content-Type", json + "; charset=utf-16le"}}, std::string(kLargest - 1, '&')},
  };
  Route route;
  for (const Bomb& bomb : bombs) {
    INFO(bomb.name);
    CHECK_EQ(route.send(bomb.name, bomb.headers, bomb.body), 400);
    CHECK(route.nothing_forwarded());
  }
  // Large, and harmless: read and forwarded, as soon.
  const std::vector<Bomb> readable = {
      {"backslashes in XML", {{"Content-Type", xml}}, "<a>" + std::string(kLargest - 7, '\\') + "</a>"},
      {"references in XML", {{"Content-Type", xml}}, "<a>" + repeated("&#92;", kLargest / 5 - 2) + "</a>"},
      {"one form field", {{"Content-Type", form}}, "a=" + repeated("%5C", kLargest / 3 - 1)},
      {"backslashes in JSON", {{"Content-Type", json}}, "\"" + repeated("\\\\", kLargest / 2 - 1) + "\""},
  };
  for (const Bomb& one : readable) {
    INFO(one.name);
    CHECK_EQ(route.send(one.name, one.headers, one.body), 200);
    CHECK(route.forwarded(one.body));
  }
}
