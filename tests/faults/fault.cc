#include "faults/fault.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "base/bytes.h"

namespace belay::test {

std::string two_ways(const Backend& backend, const std::string& destination) {
  const std::string url = "{ url: \"http://" + backend.address() + "\", " + destination + " }\n";
  return "sources:\n  now: { match: { path: /now }, trust: open, routes: [{ to: now }] }\n"
         "  later: { match: { path: /later }, trust: open, mode: spool, routes: [{ to: later }] }\n"
         "destinations:\n  now: " + url + "  later: " + url;
}

size_t count_of(const std::string& text, const std::string& word) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(word, at)) != std::string::npos; at += word.size()) ++count;
  return count;
}

bool gone(pid_t pid) { return command_line(pid).empty(); }

Milliseconds cpu_time(pid_t pid) {
  const std::string stat = read_text("/proc/" + std::to_string(pid) + "/stat");
  std::istringstream rest(stat.substr(std::min(stat.size(), stat.rfind(')') + 2)));
  std::string skipped;
  for (int i = 0; i < 11; ++i) rest >> skipped;  // fields 3 to 13 of proc(5)
  long user = 0, system = 0;
  rest >> user >> system;
  return Milliseconds((user + system) * 1000 / sysconf(_SC_CLK_TCK));
}

bool can_trace() {
  if (run({"strace", "-f", "-o", "/dev/null", "true"}).code == 0) return true;
  skip("strace cannot trace here");
  return false;
}

bool has_tool(const std::string& tool) {
  if (run({"sh", "-c", "PATH=$PATH:/sbin:/usr/sbin command -v " + tool}).code == 0) return true;
  skip(tool + " is not installed; tools/packages.sh names its package");
  return false;
}

SpoolHalf::SpoolHalf(const TempFolder& folder, const Gateway& gateway, std::vector<std::string> before,
                     std::vector<std::pair<std::string, std::string>> environment)
    : traced_(!before.empty()), log_before_(read_text(folder / "spool.err").size()) {
  for (const std::string& word : {belay_binary(), std::string("spool"), std::string("-c"), gateway.main_file(), std::string("--state"), gateway.state()}) {
    before.push_back(word);
  }
  process_ = std::make_unique<Process>(std::move(before), folder / "spool", std::move(environment));
}

pid_t SpoolHalf::pid() const {
  if (!traced_) return process_->pid();
  const auto children = children_of(process_->pid());
  return children.empty() ? -1 : children.front();
}

void SpoolHalf::end() {
  if (!process_->running()) return;
  if (const pid_t belay = pid(); belay > 0) kill(belay, SIGKILL);
  process_->wait(Milliseconds(5'000));
}

bool SpoolHalf::wait_until_ready() {
  return wait_for([&] { return !running() || log().find("spool ready") != std::string::npos; }, Milliseconds(20'000)) && running();
}

const std::set<std::string>& Arrived::update() {
  std::ifstream in(file_, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(read_));
  for (std::string line; std::getline(in, line) && !in.eof();) {  // the last one may still be growing
    read_ += line.size() + 1;
    const auto parts = split(line, '\t');
    if (parts.size() < 8) continue;
    ++attempts_;
    ids_.emplace(parts[3]);
    if (parts[0].starts_with('2') && !bodies_.emplace(parts[5]).second) ++repeated_;
  }
  return bodies_;
}

size_t Arrived::missing(const std::set<std::string>& bodies) {
  update();
  size_t count = 0;
  for (const std::string& body : bodies) count += bodies_.contains(sha256_hex(body)) ? 0 : 1;
  return count;
}

namespace {

// Adds up the numbers of all fields of that name.
uint64_t sum_of(const std::string& json, const std::string& name) {
  const std::string field = "\"" + name + "\":";
  uint64_t sum = 0;
  for (size_t at = 0; (at = json.find(field, at)) != std::string::npos;) {
    at += field.size();
    sum += std::strtoull(json.c_str() + at, nullptr, 10);
  }
  return sum;
}

}  // namespace

std::optional<Totals> totals(const Gateway& gateway) {
  std::optional<Answer> answer;
  try {
    Connection connection(gateway.admin().substr(std::string("http://").size()));
    connection.send("GET /v1/stats HTTP/1.1\r\nHost: admin\r\nAuthorization: Bearer test-token\r\nConnection: close\r\n\r\n");
    answer = connection.read_answer();
  } catch (const std::runtime_error&) {
  }
  if (!answer || answer->status != 200) return std::nullopt;
  const size_t begin = answer->body.find("\"destinations\":");
  if (begin == std::string::npos) return std::nullopt;
  const std::string json = answer->body.substr(begin);  // before it: requests, whose fields have the same names
  Totals sums;
  sums.spooled = sum_of(json, "spooled");
  sums.waiting = sum_of(json, "waiting");
  sums.delivered = sum_of(json, "delivered");
  sums.dead = sum_of(json, "dead");
  sums.cancelled = sum_of(json, "cancelled");
  sums.superseded = sum_of(json, "superseded");
  sums.quarantined = sum_of(json, "quarantined");
  sums.accepting = answer->body.find("\"accepting\":true") != std::string::npos;
  return sums;
}

// Printed, not a MESSAGE: that would show all that a test has noted for its failures.
void check_answers(const Senders& senders) {
  for (const auto& answered : senders.statuses()) {  // no structured binding: clang 14 cannot capture one
    const int status = answered.first;
    std::printf("answered %d: %d\n", status, answered.second);
    const bool ours = status == 0 || status / 100 == 2 || status == 503;
    CHECK_MESSAGE(ours, "a sender got ", status);
  }
}

void check_promises(const Gateway& gateway, const Backend& backend, const Senders& senders, Milliseconds limit) {
  check_answers(senders);
  const std::set<std::string> acknowledged = senders.acknowledged();
  CHECK_GT(acknowledged.size(), 0);
  Arrived arrived(backend);
  size_t missing = 0;
  const bool all = wait_for([&] { return (missing = arrived.missing(acknowledged)) == 0; }, limit);
  CHECK_MESSAGE(all, missing, " of ", acknowledged.size(), " acknowledged webhooks never reached the backend");
  std::optional<Totals> sums;
  const bool settled = wait_for([&] { return (sums = totals(gateway)) && sums->waiting == 0; }, limit);
  CHECK(settled);
  REQUIRE(sums.has_value());
  MESSAGE("acknowledged ", acknowledged.size(), ", attempts ", arrived.attempts(), ", delivered twice ", arrived.repeated(),
          ", spooled ", sums->spooled, ", delivered ", sums->delivered, ", dead ", sums->dead);
  CHECK_EQ(sums->dead, 0);
  CHECK_EQ(sums->quarantined, 0);
  CHECK_EQ(sums->spooled, sums->waiting + sums->delivered + sums->dead + sums->cancelled + sums->superseded);
  Finished books;
  CHECK_MESSAGE(wait_for([&] { return (books = gateway.belay({"audit"})).code == 0; }, Milliseconds(5'000)), books.out, books.err);
}

}  // namespace belay::test
