// The lines of an export: what is wrong with one is said with what to write instead.
#include <doctest/doctest.h>

#include <fstream>

#include "cli/transfer_file.h"
#include "cli/transfer_reader.h"
#include "support/process.h"

using namespace belay;
using namespace belay::cli;

namespace {

const std::string kId = "01a207a0-7f80-7000-9440-98fb11998957";

std::string line_with(const std::string& more) {
  return R"({"kind":"line","id":")" + kId + R"(","received":"2026-01-31T09:30:00.123Z","source":"s","outcome":"forwarded","status":200,"body_bytes":1,"duration_us":2,"backend_us":3)" + more + "}";
}

std::string message_with(const std::string& deliveries, const std::string& request = R"({"method":"POST","target":"/","headers":[],"body":"x"})", const std::string& outcome = "spooled") {
  return R"({"kind":"message","id":")" + kId + R"(","received":"2026-01-31T09:30:00.123Z","source":"s","outcome":")" + outcome +
         R"(","status":202,"body_bytes":1,"duration_us":2,"backend_us":3,"request":)" + request + R"(,"deliveries":)" + deliveries + "}";
}

std::string delivery_with(const std::string& more) { return R"([{"destination":"d","state":"queued","route":1,"attempts":0)" + more + "}]"; }

std::string wrong(const std::string& line) {
  const auto part = read_transfer_line(line);
  return part ? "nothing" : part.error().message;
}

}  // namespace

TEST_CASE("a_line_of_an_export_is_read_whole") {
  const auto line = read_transfer_line(line_with(R"(,"reason_base64":"//8=","trust":"signed")"));
  REQUIRE(line.ok());
  const auto& event = std::get<wire::Event>(*line);
  CHECK_EQ(event.id.to_string(), kId);
  CHECK_EQ(to_ms(event.received) % 1'000, 123);
  CHECK_EQ(event.reason, "\xff\xff");
  const auto message = read_transfer_line(message_with(delivery_with(R"(,"due":-5,"expires":"2026-01-31T09:30:00.123Z","history":[{"at":"2026-01-31T09:30:00.123Z","duration_ms":1,"status":503,"answer":"no"}])")));
  REQUIRE(message.ok());
  const auto& delivery = std::get<spool::TransferMessage>(*message).deliveries.at(0).delivery;
  CHECK_EQ(to_ms(delivery.due), -5);
  CHECK_EQ(delivery.destination, spool::destination_id("d"));
  CHECK_EQ(delivery.message.to_string(), kId);
  CHECK_EQ(delivery.history.at(0).answer, "no");
}

TEST_CASE("what_is_wrong_with_a_line_is_named") {
  const std::pair<std::string, const char*> cases[] = {
      {"", "no JSON"},
      {"[]", "is no object"},
      {"{}", "'kind' is missing"},
      {R"({"kind":"mesage"})", "unknown kind 'mesage'; write one of: header"},
      {R"({"kind":"header","format":2,"schema":3,"version":"9","at":"2026-01-31T09:30:00Z","bodies":true,"filtered":false,"messages_in_store":0})", "format 2 is newer"},
      {line_with(R"(,"colour":"red")"), "unknown member 'colour'; leave it out"},
      {line_with(R"(,"reason":"a","reason_base64":"YQ==")"), "exclude each other"},
      {line_with(R"(,"reason_base64":"~")"), "no base64"},
      {line_with(R"(,"trust":"very")"), "write one of: "},
      {line_with(R"(,"reason":")" + std::string(2049, 'x') + "\""), "'reason' is longer than 2048 bytes"},
      {R"({"kind":"line","id":"17"})", "'id' is no message id; write its 36 characters"},
      {R"({"kind":"client","id":"00","number":1})", "'id' is not 32 hexadecimal digits"},
      {R"({"kind":"client","id":"00000000000000000000000000000001","number":-1})", "'number' is no whole number"},
      {message_with("[]"), "only a rejected message, in quarantine, has no deliveries; write one at least"},
      {message_with(delivery_with(""), R"({"method":"POST","target":"/","headers":[],"bytes":5})"), "export again, with bodies"},
      {message_with(delivery_with(""), R"({"method":"POST","target":"/","headers":[{"name":"a"}]})"), "request.headers: 'value' is missing"},
      {message_with(delivery_with(R"(,"shape":1)")), "'shape' is 1, the message has 0"},
      {message_with(delivery_with(R"(,"due":"soon")")), "'due' is no time; write 2026-01-31T09:30:00.000Z"},
      {message_with(delivery_with(R"(,"unmade":1)")), "'unmade' is not true or false"},
      {message_with(delivery_with(R"(,"group":{"kind":"heap","key":"00","turn":1})")), "deliveries.group: 'kind' is 'heap'; write one of: order_wait"},
      {message_with(R"([{"destination":"d","state":"asleep","route":1,"attempts":0}])"), "'state' is 'asleep'; write one of: queued"},
      {message_with(R"([{"destination":"d","state":"dead","route":1,"attempts":0},{"destination":"d","state":"dead","route":1,"attempts":0}])"), "two deliveries have one destination"},
  };
  for (const auto& one : cases) {
    const std::string said = wrong(one.first);
    INFO(one.first.substr(0, 300), " -> ", said);
    CHECK_NE(said.find(one.second), std::string::npos);
  }
}

TEST_CASE("a_file_is_read_line_by_line_with_its_checksum") {
  const test::TempFolder folder;
  const std::string path = folder / "lines";
  std::ofstream(path, std::ios::binary) << "one\n\nthree";
  auto file = TransferFile::open(path);
  REQUIRE(file.ok());
  const auto next = [&] { return std::string((*file->next()).value_or("no more")); };
  for (int pass = 0; pass < 2; ++pass) {
    CHECK_EQ(next(), "one");
    CHECK_EQ(file->checksum(), 0u);
    CHECK_EQ(next(), "");
    CHECK(file->ended());
    const uint32_t before = file->checksum();
    CHECK_EQ(next(), "three");
    CHECK_FALSE(file->ended());
    CHECK_EQ(file->number(), 3u);
    CHECK_NE(file->checksum(), before);
    CHECK_FALSE(file->next()->has_value());
    REQUIRE(file->rewind().ok());
  }
  CHECK_FALSE(TransferFile::open(folder / "missing").ok());
  CHECK_FALSE(TransferFile::open("/dev/null").ok());
}
