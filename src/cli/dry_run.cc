#include "cli/dry_run.h"

#include <iostream>

#include "cli/problems_text.h"
#include "modules/modules.h"

namespace belay::cli {

std::optional<DrySender> DrySender::parse(const std::string& text) {
  DrySender sender;
  sender.unix_socket = text == "unix:";
  if (sender.unix_socket) return sender;
  const auto address = IpAddress::parse(text);
  if (!address) return std::nullopt;
  sender.address = *address;
  return sender;
}

std::shared_ptr<const pipeline::Ruleset> load_ruleset(const conf::LoadOptions& options) {
  conf::Problems problems;
  conf::LoadOptions all = options;
  all.despite_problems = true;  // one run reports every problem
  const auto configuration = conf::load(all, problems);
  std::shared_ptr<const pipeline::Ruleset> ruleset;
  if (configuration) ruleset = pipeline::build_ruleset(configuration, modules::all(), problems);
  if (problems.empty()) return ruleset;
  std::cerr << problems_text(problems);
  return nullptr;
}

Result<std::unique_ptr<DryRun>> DryRun::create(std::shared_ptr<const pipeline::Ruleset> ruleset) {
  auto shared = pipeline::SharedMemory::create();
  if (!shared) return shared.error();
  return create(std::move(ruleset), **shared);
}

std::unique_ptr<DryRun> DryRun::create(std::shared_ptr<const pipeline::Ruleset> ruleset, pipeline::SharedMemory& shared) {
  std::unique_ptr<DryRun> dry(new DryRun());
  dry->ruleset_ = std::move(ruleset);
  dry->services_.reset(new pipeline::Services{.clock = dry->clock_, .random = dry->random_, .shared = shared});
  return dry;
}

void DryRun::run(const RawRequest& request, MessageId id, WallTime received, const DrySender& sender, bool without_proof) {
  if (started_ && received > clock_.wall()) {
    clock_.advance(received - clock_.wall());
  } else {
    clock_.set_wall(received);
  }
  started_ = true;
  trace_ = {};
  trace_.without_proof = without_proof;
  trace_.wants_put = wants_put_;
  exchange_ = std::make_unique<pipeline::Exchange>(*services_);
  pipeline::Exchange& exchange = *exchange_;
  exchange.trace = &trace_;
  exchange.id = id;
  exchange.received = received;
  exchange.started = clock_.monotonic();
  exchange.request = request.head;
  exchange.client.address = sender.address;
  exchange.client.unix_socket = sender.unix_socket;
  exchange.client.tls = sender.tls;
  exchange.client.vouched = sender.vouched;
  exchange.client.forwarded_for = sender.unix_socket ? std::string() : exchange.client.text();
  if (walk(false) != pipeline::RunState::need_body) return;
  if (request.body.size() > exchange.source->body_max) {
    exchange.answer(413, wire::Outcome::rejected, "body: larger than this source accepts");
    return;
  }
  exchange.body = request.body;
  walk(true);
}

// A module that waits for what only a running gateway has is not resumed: its step says so.
pipeline::RunState DryRun::walk(bool body_complete) {
  const auto state = pipeline::Runner::run(*ruleset_, *exchange_, body_complete, [](pipeline::RunState) {});
  if (state == pipeline::RunState::parked)
    exchange_->answer(503, wire::Outcome::failed, std::string(trace_.steps.back().module) + ": waits for what only a running gateway has");
  return state;
}

}  // namespace belay::cli
