// belay listen: a backend to try things against. Prints what arrives and answers as it was told: a status, failures first, a
// delay. A toy on purpose (evhttp, whole bodies up to SimpleServer::kMaxBody): never put it behind senders.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <list>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "cli/admin_client.h"
#include "cli/commands.h"
#include "cli/human.h"
#include "cli/received.h"
#include "conf/section.h"
#include "event/loop.h"
#include "event/simple_server.h"

namespace belay::cli {

namespace {

struct Options {
  std::string address;
  int status = 200;
  uint64_t fail_first = 0;
  std::string delay;
  std::string record;
  bool bodies = false;
  bool json = false;
  bool quiet = false;
};

constexpr int kFailure = 503;

// "8081" is a port of loopback; anything else an address as in the rules.
std::string listen_address(const std::string& text) {
  return parse_u64(text) ? "127.0.0.1:" + text : text;
}

class Backend {
 public:
  Backend(const Options& options, Duration delay)
      : options_(options),
        delay_(delay),
        colours_(stdout_has_colours()),
        server_(loop_, [this](const event::SimpleRequest& request, event::SimpleServer::Respond respond) {
          arrived(request, std::move(respond));
        }) {}
  ~Backend() {
    if (record_ >= 0) close(record_);
  }

  Result<void> start() {
    if (!options_.record.empty()) {
      record_ = open(options_.record.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
      if (record_ < 0) return errno_error("--record " + options_.record);
    }
    const std::string address = listen_address(options_.address);
    if (Result<void> listening = server_.listen(address); !listening) return listening;
    if (!options_.quiet && !options_.json) announce(address);
    return {};
  }

  int run() {
    for (const int number : {SIGINT, SIGTERM}) loop_.on_signal(number, [this] { loop_.stop(); });
    loop_.run();
    return failed_ ? 1 : 0;
  }

 private:
  struct Delayed {
    std::unique_ptr<event::Timer> timer;
    event::SimpleServer::Respond respond;
  };

  void announce(const std::string& address) const {
    const bool unix_socket = address.starts_with("unix:");
    const std::string where =
        unix_socket ? address : fmt::format("http://{}:{}", address.substr(0, address.rfind(':')), server_.port());
    std::string how = fmt::format("answering {}", options_.status);
    if (options_.fail_first > 0) how += fmt::format(" after {} times {}", options_.fail_first, kFailure);
    if (delay_ > Duration::zero()) how += fmt::format(", {} late", format_duration(delay_));
    fmt::print("Listening on {}, {}. Ctrl-C ends.\n", where, how);
    std::fflush(stdout);
  }

  void arrived(const event::SimpleRequest& request, event::SimpleServer::Respond respond) {
    ++count_;
    const int status = count_ <= options_.fail_first ? kFailure : options_.status;
    note({.number = count_, .at = SystemClock().wall(), .request = &request, .answered = status});
    if (delay_ <= Duration::zero()) return answer(respond, status);
    const auto place = delayed_.emplace(delayed_.end());
    place->respond = std::move(respond);
    place->timer = std::make_unique<event::Timer>(loop_, [this, place, status] {
      answer(place->respond, status);
      loop_.post([this, place] { delayed_.erase(place); });  // a timer does not outlive itself in its own callback
    });
    place->timer->start(delay_);
  }

  static void answer(const event::SimpleServer::Respond& respond, int status) {
    event::SimpleResponse response{.status = status, .headers = {}, .body = {}};
    if (status != 204 && status != 304) {
      response.headers.emplace_back("Content-Type", "application/json");
      response.body = status < 300 ? "{\"received\": true}\n" : "{\"received\": false}\n";
    }
    respond(std::move(response));
  }

  void note(const Received& received) {
    if (options_.json) {
      fmt::print("{}\n", received_json(received, options_.bodies));
    } else if (!options_.quiet) {
      fmt::print("{}\n", received_line(received, colours_));
    }
    std::fflush(stdout);
    if (record_ < 0) return;
    const std::string line = received_json(received, options_.bodies) + "\n";
    // One write for each line, so that a reader never sees half of one.
    if (write(record_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
      fmt::print(stderr, "belay listen: {}\n", errno_error("cannot write to " + options_.record).message);
      failed_ = true;
      loop_.stop();
    }
  }

  const Options& options_;
  const Duration delay_;
  const bool colours_;
  event::Loop loop_;
  std::list<Delayed> delayed_;
  uint64_t count_ = 0;
  int record_ = -1;
  bool failed_ = false;
  event::SimpleServer server_;
};

int listen(const Options& options) {
  Duration delay{};
  if (!options.delay.empty()) {
    const Result<Duration> parsed = conf::parse_duration(options.delay);
    if (!parsed) return report("listen", invalid("--delay: " + parsed.error().message));
    delay = *parsed;
  }
  Backend backend(options, delay);
  if (const Result<void> started = backend.start(); !started) return report("listen", started.error());
  return backend.run();
}

}  // namespace

void add_listen(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("listen", "A backend to try things against: prints what arrives");
  command->add_option("address", options->address, "Port on 127.0.0.1, ADDRESS:PORT or unix:PATH")->required()->type_name("PORT");
  command->add_option("--status", options->status, "Answer with this status (200)")->type_name("N")->check(CLI::Range(200, 599));
  command->add_option("--fail-first", options->fail_first, "Answer the first N requests with 503")->type_name("N");
  command->add_option("--delay", options->delay, "Answer so late: 200ms, 5s")->type_name("TIME");
  command->add_option("--record", options->record, "Append one JSON line for each request to this file")->type_name("FILE");
  command->add_flag("--bodies", options->bodies, "JSON lines hold the body, too, as base64");
  command->add_flag("--json", options->json, "Print JSON lines");
  command->add_flag("--quiet", options->quiet, "Print nothing");
  command->callback([options, &exit_code] { exit_code = listen(*options); });
}

}  // namespace belay::cli
