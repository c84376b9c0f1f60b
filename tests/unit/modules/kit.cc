#include "kit.h"

namespace belay::test {

using namespace belay::pipeline;

namespace {

class Passed final : public Handler {
 public:
  Verdict handle(Exchange& exchange) const override {
    exchange.answer(200, wire::Outcome::forwarded, "passed");
    return Verdict::reply;
  }
};

constexpr Module kPassed{
    .key = "passed",
    .stage = Stage::on_body,
    .always = true,
    .help = "answers what every module let through",
    .build = [](const conf::Node&, BuildContext&) -> std::unique_ptr<Handler> { return std::make_unique<Passed>(); }};

std::vector<Module> modules_up_to(const Module* last) {
  std::vector<Module> chosen;
  for (const Module& module : modules::all()) {
    chosen.push_back(module);
    if (last != nullptr && module.key == last->key) break;
  }
  if (last != nullptr) chosen.push_back(kPassed);
  return chosen;
}

}  // namespace

Kit::Kit(const std::string& rules, const Module* last, const std::string& main, const Fields& files)
    : shared(*SharedMemory::create().value()),
      services{.clock = clock,
               .random = random,
               .shared = shared,
               .spool = &spool,
               .upstream = nullptr,
               .counters = nullptr},
      ids_(clock, random) {
  for (const auto& [name, content] : files) folder_.write(name, content);
  folder_.write("rules.yaml", rules);
  const std::string file = folder_.write(
      "belay.yaml", "proxy: { listen: [\"127.0.0.1:0\"] }\nlog: { access: off }\nrules: [rules.yaml]\n" + main);
  const auto configuration = conf::load({.main_file = file, .state_folder = folder_ / "state"}, problems_);
  // The ruleset points at the modules it was built from: they live as long as the test program.
  static std::deque<std::vector<Module>> kept;
  kept.push_back(modules_up_to(last));
  if (configuration) ruleset = build_ruleset(configuration, kept.back(), problems_);
}

std::unique_ptr<Walked> Kit::send(const std::string& method, const std::string& target, Fields fields, std::string body,
                                  const std::string& client, const std::string& host) {
  auto walked = std::make_unique<Walked>();
  walked->exchange = std::make_unique<Exchange>(services);
  walked->method = method;
  walked->target = target;
  walked->host = host;
  walked->fields = std::move(fields);
  walked->body = std::move(body);
  Exchange& exchange = *walked->exchange;
  exchange.id = ids_.next();
  exchange.received = clock.wall();
  exchange.started = clock.monotonic();
  http::RequestHead& head = exchange.request;
  head.method = walked->method;
  head.target = walked->target;
  const std::string_view whole = walked->target;
  const size_t mark = whole.find('?');
  head.path = whole.substr(0, mark);
  if (mark != std::string_view::npos) head.query = whole.substr(mark + 1);
  head.host = walked->host;
  head.framing = http::Framing::length;
  head.content_length = walked->body.size();
  for (const auto& [name, value] : walked->fields) head.fields.add(name, value);
  exchange.body = walked->body;
  if (client == "unix:") {
    exchange.client.unix_socket = true;
  } else {
    exchange.client.address = *IpAddress::parse(client);
  }
  exchange.client.forwarded_for = client;
  REQUIRE_MESSAGE(ruleset != nullptr, problems());
  walked->state =
      Runner::run(*ruleset, exchange, true, [done = walked.get()](Runner::State) { done->finished = true; });
  return walked;
}

}  // namespace belay::test
