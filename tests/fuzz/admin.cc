// The admin API's calls, from method, path, query and body to the answer, with a spool behind it that holds one webhook: every call
// is answered once, with a status of the description and with JSON that can be read; errors are one line; what is refused asks the
// spool for nothing. Input: "METHOD TARGET", a line with Last-Event-ID, then the body.
#include <memory>
#include <optional>
#include <string>

#include "admin/server.h"
#include "fuzz/input.h"
#include "json/document.h"
#include "unit/admin/fake_operations.h"
#include "unit/admin/samples.h"

using namespace belay;

namespace {

constexpr const char* kToken = "fuzz";

struct Spool {
  event::Loop loop;
  ManualClock clock;
  test::FakeOperations operations;
  std::unique_ptr<admin::AdminServer> server;

  Spool() {
    operations.held_message = test::sample_message();
    operations.held_events = spool::EventPage{{{test::sample_event(), {test::sample_delivery()}}}, std::nullopt};
    server = std::make_unique<admin::AdminServer>(loop, operations, clock,
                                                  admin::AdminOptions{.listen = "unused", .tokens = {{"fuzz", {{.value = kToken}}, true}}});
  }
};

event::SimpleRequest read_request(std::string_view text) {
  event::SimpleRequest request;
  const size_t line = text.find('\n');
  const std::string_view first = text.substr(0, line);
  std::string_view rest = line == std::string_view::npos ? std::string_view() : text.substr(line + 1);
  const size_t space = first.find(' ');
  request.method = first.substr(0, space);
  const std::string_view target = space == std::string_view::npos ? std::string_view("/") : first.substr(space + 1);
  const size_t mark = target.find('?');
  request.path = target.substr(0, mark);
  if (mark != std::string_view::npos) request.query = target.substr(mark + 1);
  const size_t second = rest.find('\n');
  request.headers.emplace_back("Authorization", std::string("Bearer ") + kToken);
  if (second != 0 && !rest.empty()) request.headers.emplace_back("Last-Event-ID", rest.substr(0, second));
  if (second != std::string_view::npos) request.body = rest.substr(second + 1);
  return request;
}

void check_error(const event::SimpleResponse& answer) {
  const auto document = json::Document::parse(answer.body);
  BELAY_CHECK(document.ok());
  const json::Ref error = (*document)->find((*document)->root(), "error");
  BELAY_CHECK(error != json::kNone);
  std::string scratch;
  const std::string_view said = (*document)->string(error, scratch);
  BELAY_CHECK(!said.empty() && said.find('\n') == std::string_view::npos && said.size() < 1000);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* const spool = new Spool;  // for the life of the process: a loop is no small thing
  const event::SimpleRequest request = read_request(belay::fuzz::text(data, size));
  spool->operations.replays = 0;
  std::optional<event::SimpleResponse> answer;
  spool->server->handle(request, [&](event::SimpleResponse response) {
    BELAY_CHECK(!answer);
    answer = std::move(response);
  });
  BELAY_CHECK(spool->loop.run_until([&] { return answer.has_value(); }, Duration(10'000)));
  const int status = answer->status;
  BELAY_CHECK(status == 200 || status == 400 || status == 404 || status == 405 || status == 413);
  if (request.method == "HEAD") BELAY_CHECK(answer->body.empty());
  else if (status != 200) check_error(*answer);
  if (status != 200) BELAY_CHECK(spool->operations.replays == 0);
  return 0;
}
