#include "cli/present_rules.h"

#include <fmt/format.h>

#include <atomic>
#include <thread>

#include "base/random.h"
#include "cli/dry_run.h"
#include "modules/modules.h"
#include "spool/plan.h"
#include "spool/task_thread.h"

namespace belay::cli {

namespace {

// One for all rulesets of the process: it lives until the process ends.
Result<pipeline::SharedMemory*> shared_memory() {
  static const Result<pipeline::SharedMemory*> shared = pipeline::SharedMemory::create();
  return shared;
}

class PresentRules {
 public:
  explicit PresentRules(std::shared_ptr<const conf::Configuration> configuration) : configuration_(std::move(configuration)) {}

  void ask(std::shared_ptr<const spool::Message> stored, MessageId as, std::string why, spool::Done<spool::NewMessage> done) {
    const bool taken = thread_.post([this, stored = std::move(stored), as, why = std::move(why), done] {
      runs_on_ = std::this_thread::get_id();
      done(answer(*stored, as, why));
    });
    if (!taken) done(Error{ErrorKind::refused, "the spool is stopping"});
  }

  // The last one who asks may let go of it on its own thread, which cannot wait for itself.
  static void let_go(PresentRules* rules) {
    if (rules->runs_on_.load() == std::this_thread::get_id()) std::thread([rules] { delete rules; }).detach();
    else delete rules;
  }

 private:
  Result<void> build();
  Result<spool::NewMessage> answer(const spool::Message& stored, MessageId as, const std::string& why);

  const std::shared_ptr<const conf::Configuration> configuration_;
  std::shared_ptr<const pipeline::Ruleset> ruleset_;
  std::unique_ptr<DryRun> run_;
  SystemRandom random_;
  SystemClock clock_;
  std::atomic<std::thread::id> runs_on_{};
  spool::TaskThread thread_;  // ends first
};

Result<void> PresentRules::build() {
  if (run_ != nullptr) return {};
  conf::Problems problems;
  ruleset_ = pipeline::build_ruleset(configuration_, modules::all(), problems);
  if (ruleset_ == nullptr || !problems.empty()) {
    std::string all = problems.to_string();
    return Error{ErrorKind::refused, "the rules cannot be built in the spool's process: " + all.substr(0, all.find('\n'))};
  }
  const auto shared = shared_memory();
  if (!shared) return shared.error();
  run_ = DryRun::create(ruleset_, **shared);
  run_->gather_put();
  return {};
}

std::string head_of(const wire::StoredRequest& request) {
  std::string out = request.method + ' ' + request.target + " HTTP/1.1\r\n";
  for (const auto& [name, value] : request.fields) out.append(name).append(": ").append(value).append("\r\n");
  return out += "\r\n";
}

Result<spool::NewMessage> PresentRules::answer(const spool::Message& stored, MessageId as, const std::string& why) {
  if (auto built = build(); !built) return built.error();
  const auto request = RawRequest::of(head_of(stored.request), stored.request.body);
  if (!request) return Error{ErrorKind::corrupt, "the stored request cannot be read: " + request.error().message};
  auto sender = DrySender::parse(stored.event.client);
  if (!sender) return Error{ErrorKind::corrupt, "its sender's address cannot be read"};
  sender->tls = stored.request.tls;
  sender->vouched = true;  // what nobody vouched for was not stored
  // What was accepted once has proved itself then; secrets may have changed since.
  const bool proven = stored.event.outcome == wire::Outcome::spooled;
  run_->forget_rates();
  run_->run(**request, as, stored.event.received, *sender, proven);
  const pipeline::Exchange& exchange = run_->exchange();
  auto put = run_->trace().put;
  if (!run_->accepted() || !put) {
    return Error{ErrorKind::refused, fmt::format("the present rules: {}{}{}", wire::to_string(exchange.outcome), exchange.reason.empty() ? "" : ": ", exchange.reason)};
  }
  put->event.received = as.time();
  put->event.status = 0;  // no sender waits
  put->event.reason = why;
  put->event.duration_us = 0;
  put->request.forwarded_for = stored.request.forwarded_for;
  for (wire::StoredRequest& shape : put->shapes) shape.forwarded_for = stored.request.forwarded_for;
  return spool::plan(std::move(*put), ruleset_->destinations, clock_.wall(), random_);
}

}  // namespace

spool::Rerun present_rules(std::shared_ptr<const conf::Configuration> configuration) {
  const std::shared_ptr<PresentRules> rules(new PresentRules(std::move(configuration)), PresentRules::let_go);
  return [rules](std::shared_ptr<const spool::Message> stored, MessageId as, std::string why, spool::Done<spool::NewMessage> done) {
    rules->ask(std::move(stored), as, std::move(why), std::move(done));
  };
}

}  // namespace belay::cli
