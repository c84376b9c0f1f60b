#include "sim/network.h"

namespace belay::sim {

using upstream::Outcome;

struct Network::Flight {
  std::shared_ptr<const upstream::Destination> to;
  AttemptKey attempt;
  Fate fate;
  Done done;  // empty: given up
};

namespace {

class GivesUp final : public upstream::Sender::Call {
 public:
  explicit GivesUp(std::function<void()> give_up) : give_up_(std::move(give_up)) {}
  ~GivesUp() override { give_up_(); }

 private:
  std::function<void()> give_up_;
};

}  // namespace

Network::Fate Network::moody() {
  Fate fate{.takes = dice_.ms(0, 30), .answer_after = dice_.ms(0, 60)};
  const double roll = dice_.unit();
  if (roll < 0.55) return fate;
  if (roll < 0.65) fate.status = 500;
  else if (roll < 0.70) fate.status = 503;
  else if (roll < 0.73) fate.status = 404;
  else if (roll < 0.77) fate.status = 429, fate.retry_after = dice_.ms(1, 8) * 1'000;
  else if (roll < 0.82) fate.outcome = Outcome::refused, fate.arrives = false;
  else if (roll < 0.88) fate.outcome = Outcome::reset;  // taken, and the answer was lost
  else if (roll < 0.91) fate.outcome = Outcome::bad_response;
  else if (roll < 0.95) fate.outcome = Outcome::timeout;
  else fate.answer_after = dice_.ms(100, 2'000);
  return fate;
}

Network::Fate Network::fate_of(const upstream::Destination& to) {
  Fate fate{.takes = dice_.ms(0, 10), .answer_after = dice_.ms(0, 20)};
  switch (backends_.of(to.name)) {
    case Mood::well: break;
    case Mood::moody: fate = moody(); break;
    case Mood::down: fate.outcome = Outcome::refused, fate.arrives = false; break;
    case Mood::failing: fate.status = dice_.chance(0.5) ? 500 : 502; break;
    case Mood::throttling: fate.status = 429, fate.retry_after = dice_.ms(1, 5) * 1'000; break;
    case Mood::hanging: fate.outcome = Outcome::timeout, fate.arrives = dice_.chance(0.5); break;
    case Mood::refusing: fate.status = 404; break;
  }
  if (fate.answer_after + fate.takes >= to.timeout) fate.outcome = Outcome::timeout;
  if (fate.outcome == Outcome::timeout) fate.answer_after = to.timeout - std::min(fate.takes, to.timeout);
  return fate;
}

std::unique_ptr<upstream::Sender::Call> Network::send(std::shared_ptr<const upstream::Destination> to,
                                                      const upstream::Outbound& request, Done done) {
  auto flight = std::make_shared<Flight>();
  flight->to = std::move(to);
  flight->done = std::move(done);
  int& flying = ++in_flight_[flight->to->name];
  auto call = std::make_unique<GivesUp>([flight, &flying] {
    if (flight->done) --flying;
    flight->done = nullptr;
  });
  flight->attempt = oracle_.attempt_begins(side_, *flight->to, request, flying);
  flight->fate = fate_of(*flight->to);
  agenda_.after(flight->fate.takes, [this, flight] {
    const Fate& fate = flight->fate;
    const bool liked = fate.outcome != Outcome::refused && fate.status / 100 == 2;
    if (fate.arrives && liked) oracle_.backend_took(flight->attempt);
    agenda_.after(fate.answer_after, [this, flight] { land(flight); });
  });
  return call;
}

void Network::land(const std::shared_ptr<Flight>& flight) {
  if (!flight->done) return;
  --in_flight_[flight->to->name];
  const Done done = std::exchange(flight->done, nullptr);
  http::ResponseHead head;
  head.status = flight->fate.status;
  upstream::Attempt attempt;
  attempt.outcome = flight->fate.outcome;
  attempt.total = flight->fate.takes + flight->fate.answer_after;
  attempt.retry_after = flight->fate.retry_after;
  attempt.peer = "127.0.0.1:1";
  if (attempt.outcome == Outcome::answered) attempt.head = &head;
  else attempt.error = "simulated";
  if (attempt.outcome == Outcome::answered) attempt.body = "{}";
  oracle_.answer_heard(flight->attempt, *flight->to, attempt);
  done(attempt);
}

}  // namespace belay::sim
