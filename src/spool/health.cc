#include "spool/health.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace belay::spool {

namespace {

// The url of a check as a destination of its own, with nothing of the real one but the way to it.
std::shared_ptr<const upstream::Destination> check_of(const upstream::Destination& of, const http::Url& url) {
  auto check = std::make_shared<upstream::Destination>();
  check->name = of.name + " (health)";
  check->urls = {url};
  const size_t mark = of.health.path.find('?');
  check->urls[0].path = of.health.path.substr(0, mark);
  check->urls[0].query = mark == std::string::npos ? "" : of.health.path.substr(mark + 1);
  check->timeout = of.health.timeout;
  check->connect_timeout = std::min(of.connect_timeout, of.health.timeout);
  static const upstream::StatusSet kHealthy = *upstream::StatusSet::parse({"2xx"});
  check->success = kHealthy;  // the destination's `success` is about webhooks
  check->answer_limit = HealthChecks::kAnswerLimit;
  check->tls = of.tls;
  check->server_name = of.server_name;
  check->network_allow = of.network_allow;
  return check;
}

}  // namespace

void HealthChecks::use(const std::unordered_map<DestinationId, std::shared_ptr<const upstream::Destination>>& destinations) {
  auto before = std::exchange(targets_, {});
  const auto all = std::count_if(destinations.begin(), destinations.end(), [](const auto& one) { return one.second->health.on(); });
  int64_t place = 0;
  for (const auto& [id, destination] : destinations) {
    if (!destination->health.on()) continue;
    const auto known = before.find(id);
    const Duration after = destination->health.every * place++ / all;
    if (known != before.end() && known->second->destination == destination) targets_.emplace(id, std::move(known->second));
    else begin(id, destination, known != before.end() ? known->second.get() : nullptr, after);
  }
  for (const auto& [id, target] : before) {
    if (target == nullptr) continue;  // goes on
    for (const Url& url : target->urls) under_way_ -= url.call != nullptr ? 1 : 0;
  }
  next_in_turn();
}

void HealthChecks::begin(DestinationId id, const std::shared_ptr<const upstream::Destination>& destination, const Target* before, Duration after) {
  Target& target = *targets_.emplace(id, std::make_unique<Target>()).first->second;
  target.destination = destination;
  for (const http::Url& url : destination->urls) {
    Url& one = target.urls.emplace_back();
    one.check = check_of(*destination, url);
    one.text = url.scheme == "unix" ? "unix:" + url.host : url.scheme + "://" + url.authority();
    if (before == nullptr || before->destination->health.path != destination->health.path) continue;
    for (const Url& known : before->urls) one.down = one.down || (known.text == one.text && known.down);
  }
  target.timer = std::make_unique<event::Timer>(loop_, [this, &target] { check(target); });
  target.timer->start(after);
  tell(target);
}

void HealthChecks::tell(const Target& target) {
  uint64_t down = 0;
  for (size_t i = 0; i < target.urls.size(); ++i) down |= uint64_t{target.urls[i].down} << i;
  changed_(target.destination->key, down);
}

void HealthChecks::check(Target& target) {
  target.timer->start(target.destination->health.every);
  for (size_t i = 0; i < target.urls.size(); ++i) {
    Url& url = target.urls[i];
    if (url.call != nullptr || url.waits) continue;  // its timeout is longer than `every`
    if (under_way_ < kUnderWay) {
      check(target, url);
    } else {
      url.waits = true;
      turns_.emplace_back(target.destination->key, i);
    }
  }
}

void HealthChecks::check(Target& target, Url& url) {
  ++under_way_;
  upstream::Outbound request;
  request.method = "GET";
  request.fields = &fields_;
  url.call = sender_.send(url.check, request, [this, &target, &url](const upstream::Attempt& attempt) {
    const auto ended = std::move(url.call);  // until everything of it was read
    --under_way_;
    answered(target, url, attempt);
    next_in_turn();
  });
}

// New rules may have come since a url began to wait: then it does so no more.
void HealthChecks::next_in_turn() {
  while (!turns_.empty() && under_way_ < kUnderWay) {
    const auto [id, place] = turns_.front();
    turns_.pop_front();
    const auto target = targets_.find(id);
    if (target == targets_.end() || place >= target->second->urls.size()) continue;
    Url& url = target->second->urls[place];
    if (std::exchange(url.waits, false)) check(*target->second, url);
  }
}

void HealthChecks::answered(Target& target, Url& url, const upstream::Attempt& attempt) {
  const bool good = attempt.success(*url.check);
  if (attempt.head == nullptr && !attempt.backend_failed(*url.check)) return;  // nobody was asked
  url.failures = good ? 0 : url.failures + 1;
  const bool down = url.down ? !good : url.failures >= kFall;
  if (down == url.down) return;
  url.down = down;
  const upstream::Destination& of = *target.destination;
  if (down) {
    const std::string why = attempt.head != nullptr ? "status " + std::to_string(attempt.status())
                                                    : std::string(upstream::to_string(attempt.outcome)) + ": " + attempt.error;
    log::warn("spool: {}: {} is down: {}", of.name, url.text, why);
  } else {
    log::info("spool: {}: {} is up again", of.name, url.text);
  }
  tell(target);
}

}  // namespace belay::spool
