#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "json/document.h"
#include "kit.h"

using namespace belay;
using namespace belay::test;

namespace {

std::string line_of(const pipeline::Exchange& exchange) {
  modules::LineClock clock;
  std::string line;
  modules::append_access_line(line, exchange, clock);
  return line;
}

}  // namespace

TEST_CASE("one_request_is_one_json_line_without_query_and_raw_control_bytes") {
  Kit kit(source("trust: open, identify: { type: t }"), &modules::kIdentify);
  const auto walked = kit.send("POST", "/s?token=hidden", {{"Authorization", "Bearer hidden"}},
                               "{\"t\":\"a\\u0007\\\"b\\nc\xff\"}", "2001:db8::1");
  walked->exchange->event.type = "a\a\"b\nc\xff";
  const std::string line = line_of(*walked->exchange);
  INFO(line);
  CHECK(line.ends_with("}\n"));
  CHECK_EQ(line.find('\n'), line.size() - 1);
  CHECK_EQ(line.find("hidden"), std::string::npos);
  for (const char c : line.substr(0, line.size() - 1)) CHECK_GE(static_cast<unsigned char>(c), 0x20);
  const auto parsed = json::Document::parse_owned(line);
  REQUIRE(parsed.ok());
  const json::Document& json = **parsed;
  const auto raw = [&](const char* path) { return std::string(json.raw(json.find_path(path))); };
  CHECK_EQ(raw("time"), "\"2025-10-09T08:53:20.000Z\"");
  CHECK_EQ(raw("source"), "\"s\"");
  CHECK_EQ(raw("trust"), "\"open\"");
  CHECK_EQ(raw("outcome"), "\"forwarded\"");
  CHECK_EQ(raw("status"), "200");
  CHECK_EQ(raw("path"), "\"/s\"");
  CHECK_EQ(raw("client"), "\"2001:db8::1\"");
  CHECK_EQ(raw("id"), "\"" + walked->exchange->id.to_string() + "\"");
  CHECK_EQ(raw("bytes_in"), std::to_string(walked->body.size()));
}

TEST_CASE("the_books_get_a_line_of_everything_that_is_not_stored_with_its_message") {
  Kit kit(source("trust: open, mode: spool"));
  kit.send("POST", "/nowhere");
  REQUIRE_EQ(kit.spool.events.size(), 1);
  CHECK_EQ(kit.spool.events[0].outcome, wire::Outcome::rejected);
  CHECK_EQ(kit.spool.events[0].status, 404);
  CHECK_EQ(kit.spool.events[0].path, "/nowhere");
  CHECK_EQ(kit.spool.events[0].trust, wire::Trust::unknown);
  const auto stored = kit.post();
  CHECK_EQ(kit.spool.puts.at(0).event.trust, wire::Trust::open);
  kit.spool.answer(wire::PutState::stored);
  CHECK(stored->finished);
  CHECK_EQ(kit.spool.events.size(), 1);
}

TEST_CASE("lines_reach_the_file_whole_and_only_when_flushed") {
  const TempFolder folder;
  const std::string path = folder / "access.log";
  modules::LineWriter writer(path);
  writer.buffer() += "{\"a\":1}\n";
  writer.end_line();
  CHECK_EQ(read_text(path), "");
  writer.flush();
  CHECK_EQ(read_text(path), "{\"a\":1}\n");
  modules::LineWriter other(path);
  other.buffer() += "{\"b\":2}\n";
  other.end_line();
  other.flush();
  CHECK_EQ(read_text(path), "{\"a\":1}\n{\"b\":2}\n");
}

TEST_CASE("a_target_that_cannot_be_written_costs_lines_and_bounded_memory_never_requests") {
  modules::LineWriter writer("/proc/nowhere/access.log");
  const std::string line(modules::LineWriter::kFlushAt / 2, 'x');
  for (int i = 0; i < 200; ++i) {
    writer.buffer() += line;
    writer.buffer() += '\n';
    writer.end_line();
  }
  CHECK_LE(writer.buffer().size(), modules::LineWriter::kMaxBuffer);
  CHECK_GT(writer.dropped(), 0);
}

TEST_CASE("a_reader_that_stands_still_costs_lines_and_no_time_and_later_gets_whole_lines") {
  const TempFolder folder;
  const std::string path = folder / "pipe";
  REQUIRE_EQ(mkfifo(path.c_str(), 0600), 0);
  const int reader = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE_GE(reader, 0);
  modules::LineWriter writer(path);
  const std::string line = std::string(199, 'x') + "\n";
  constexpr size_t kMany = 2 * modules::LineWriter::kMaxBuffer / 200;
  for (size_t i = 0; i < kMany; ++i) {
    writer.buffer() += line;
    writer.end_line();
  }
  CHECK_GT(writer.dropped(), 0);
  std::string got;
  char buffer[1 << 16];
  while (!writer.buffer().empty()) {
    writer.flush();
    for (ssize_t n; (n = read(reader, buffer, sizeof buffer)) > 0;) got.append(buffer, static_cast<size_t>(n));
  }
  close(reader);
  CHECK_EQ(got.size(), (kMany - writer.dropped()) * line.size());
  size_t torn = 0;
  for (size_t at = 0; at < got.size(); at += line.size()) torn += got.compare(at, line.size(), line) == 0 ? 0 : 1;
  CHECK_EQ(torn, 0);
}
