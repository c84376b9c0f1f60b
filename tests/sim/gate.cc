#include "sim/gate.h"

#include <sys/mman.h>

namespace belay::sim {

using pipeline::RunState;
using pipeline::SharedMemory;

struct Gate::Request {
  Request(uint64_t its_number, Sent its_sent, pipeline::Services& services, Answered told)
      : number(its_number), sent(std::move(its_sent)), exchange(services), answered(std::move(told)) {}
  uint64_t number;
  Sent sent;
  pipeline::Exchange exchange;
  Answered answered;
};

Gate::Gate(event::Loop& loop, const SimClock& clock, Dice& random, upstream::Sender& network, const pipeline::Ruleset& ruleset,
           std::string socket)
    : loop_(loop),
      clock_(clock),
      random_(random),
      ruleset_(ruleset),
      socket_(std::move(socket)),
      shared_(*SharedMemory::create().value()),
      services_{.clock = clock, .random = random, .shared = shared_, .upstream = &network} {
  start();
}

Gate::~Gate() {
  requests_.clear();
  client_.reset();
  munmap(&shared_, sizeof(SharedMemory));
}

void Gate::start() {
  client_ = wire::connect_spool(loop_, {.socket_path = socket_,
                                          .destinations = [this](const wire::DestinationStates& told) { shared_.states.tell(told); },
                                          .away = [this] { shared_.states.spool_away(); },
                                          .random = &random_});
  services_.spool = client_.get();
  ids_ = std::make_unique<IdGenerator>(clock_, random_);
}

void Gate::crash() {
  for (auto& [number, request] : requests_) request->exchange.claim_hold.confirmed();  // a killed worker releases nothing
  const auto dropped = std::exchange(requests_, {});
  ended_.clear();
  client_.reset();
  for (const auto& [number, request] : dropped) request->answered({request->exchange.id, 0, wire::Outcome::failed, {}});
}

MessageId Gate::take(Sent sent, const std::function<void(const MessageId&)>& begins, Answered answered) {
  const uint64_t number = next_++;
  auto owned = std::make_unique<Request>(number, std::move(sent), services_, std::move(answered));
  Request& request = *owned;
  requests_.emplace(number, std::move(owned));
  pipeline::Exchange& exchange = request.exchange;
  exchange.id = ids_->next();
  exchange.received = clock_.wall();
  exchange.started = clock_.monotonic();
  http::RequestHead& head = exchange.request;
  head.method = "POST";
  head.target = request.sent.path;
  head.path = request.sent.path;
  head.host = "hooks.example.test";
  head.framing = http::Framing::length;
  head.content_length = request.sent.body.size();
  for (const auto& [name, value] : request.sent.fields) head.fields.add(name, value);
  exchange.body = request.sent.body;
  exchange.client.address = *IpAddress::parse("192.0.2.1");
  exchange.client.forwarded_for = "192.0.2.1";
  const MessageId id = exchange.id;
  begins(id);
  walked(request, pipeline::Runner::run(ruleset_, exchange, true, [this, &request](RunState state) { walked(request, state); }));
  return id;
}

void Gate::walked(Request& request, RunState state) {
  if (state == RunState::done) ended_.push_back(request.number);
}

void Gate::tell() {
  if (ended_.empty()) return;
  client_->flush();
  for (const uint64_t number : std::exchange(ended_, {})) {
    const auto at = requests_.find(number);
    const std::unique_ptr<Request> request = std::move(at->second);
    requests_.erase(at);
    const pipeline::Exchange& exchange = request->exchange;
    request->answered({exchange.id, exchange.reply.status, exchange.outcome, exchange.reason});
  }
}

}  // namespace belay::sim
