#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "pipeline/module.h"

using namespace belay;
using namespace belay::pipeline;

namespace {

using Act = std::function<Verdict(Exchange&)>;

class Acting final : public Handler {
 public:
  explicit Acting(Act act) : act_(std::move(act)) {}
  Verdict handle(Exchange& exchange) const override { return act_(exchange); }

 private:
  Act act_;
};

// A ruleset put together by hand: match chooses the one source, its steps are what a test adds.
struct Walk {
  static constexpr Module kHead{.key = "head", .stage = Stage::on_head};
  static constexpr Module kBody{.key = "body", .stage = Stage::on_body};

  SystemClock clock;
  SeededRandom random{1};
  SharedMemory& shared = *SharedMemory::create().value();
  OutcomeCounters counters{1};
  Services services{.clock = clock, .random = random, .shared = shared, .counters = &counters};
  Ruleset ruleset;
  std::vector<std::string> trace;
  std::vector<Runner::State> told;
  std::unique_ptr<Exchange> exchange = std::make_unique<Exchange>(services);

  Walk() {
    ruleset.sources.push_back(std::make_unique<Source>());
    ruleset.before.push_back({&kHead, std::make_unique<Acting>([this](Exchange& e) {
                                trace.push_back("match");
                                e.source = ruleset.sources[0].get();
                                return Verdict::next;
                              })});
    ruleset.after.push_back({&kHead, std::make_unique<Acting>([this](Exchange&) {
                               trace.push_back("log");
                               return Verdict::next;
                             })});
  }
  void add(const Module& module, const std::string& name, Act act) {
    ruleset.sources[0]->steps.push_back({&module, std::make_unique<Acting>([this, name, act](Exchange& e) {
                                           trace.push_back(name);
                                           return act(e);
                                         })});
  }
  Runner::State run(bool body_complete) {
    return Runner::run(ruleset, *exchange, body_complete, [this](Runner::State state) { told.push_back(state); });
  }
  uint64_t counted(wire::Outcome outcome) { return counters.at(ruleset.sources[0].get(), outcome); }
};

Verdict pass(Exchange&) { return Verdict::next; }
Verdict forwarded(Exchange& exchange) {
  exchange.answer(200, wire::Outcome::forwarded, "");
  return Verdict::reply;
}

Act parks(Resume& resume) {
  return [&resume](Exchange& e) {
    resume = e.park();
    return Verdict::parked;
  };
}

using Steps = std::vector<std::string>;

}  // namespace

TEST_CASE("the_body_is_asked_for_only_after_every_head_module_passed") {
  Walk walk;
  walk.add(Walk::kHead, "allow", pass);
  walk.add(Walk::kBody, "deliver", forwarded);
  CHECK(walk.run(false) == Runner::State::need_body);
  CHECK(walk.trace == Steps{"match", "allow"});
  CHECK(walk.run(true) == Runner::State::done);
  CHECK(walk.trace == Steps{"match", "allow", "deliver", "log"});
  CHECK(walk.exchange->reply.status == 200);
  CHECK(walk.counted(wire::Outcome::forwarded) == 1);
}

TEST_CASE("a_refusal_skips_to_the_log_and_is_counted_once") {
  Walk walk;
  walk.add(Walk::kHead, "allow", [](Exchange& e) {
    e.answer(403, wire::Outcome::rejected, "allow: not in the list");
    return Verdict::reply;
  });
  walk.add(Walk::kBody, "deliver", forwarded);
  CHECK(walk.run(false) == Runner::State::done);
  CHECK(walk.trace == Steps{"match", "allow", "log"});
  CHECK(walk.counted(wire::Outcome::rejected) == 1);
  Runner::finish(walk.ruleset, *walk.exchange);
  CHECK(walk.counted(wire::Outcome::rejected) == 1);
  CHECK(walk.trace.size() == 3);
}

TEST_CASE("a_chain_without_an_answer_is_our_fault") {
  Walk walk;
  walk.add(Walk::kHead, "allow", pass);
  CHECK(walk.run(true) == Runner::State::done);
  CHECK(walk.exchange->reply.status == 500);
  CHECK(walk.counted(wire::Outcome::failed) == 1);
}

TEST_CASE("a_parked_exchange_goes_on_behind_the_module_that_parked") {
  Walk walk;
  Resume resume;
  walk.add(Walk::kHead, "auth", parks(resume));
  walk.add(Walk::kBody, "deliver", forwarded);
  CHECK(walk.run(false) == Runner::State::parked);
  CHECK(resume.exchange() == walk.exchange.get());
  resume();
  CHECK(walk.told == std::vector{Runner::State::need_body});
  CHECK(walk.run(true) == Runner::State::done);
  CHECK(walk.trace == Steps{"match", "auth", "deliver", "log"});
}

TEST_CASE("a_resume_with_a_reply_ends_the_walk") {
  Walk walk;
  Resume resume;
  walk.add(Walk::kBody, "deliver", parks(resume));
  CHECK(walk.run(true) == Runner::State::parked);
  CHECK(walk.exchange->parked());
  walk.exchange->answer(502, wire::Outcome::failed, "deliver: refused");
  resume();
  CHECK(walk.told == std::vector{Runner::State::done});
  CHECK(walk.trace == Steps{"match", "deliver", "log"});
}

TEST_CASE("a_second_resume_does_nothing") {
  Walk walk;
  Resume resume;
  walk.add(Walk::kBody, "deliver", parks(resume));
  walk.run(true);
  walk.exchange->answer(200, wire::Outcome::forwarded, "");
  const Resume copy = resume;
  resume();
  resume();
  copy();
  CHECK(walk.told.size() == 1);
  CHECK(walk.counted(wire::Outcome::forwarded) == 1);
  CHECK(copy.exchange() == nullptr);
}

TEST_CASE("a_resume_after_the_connection_went_away_does_nothing") {
  Walk walk;
  Resume resume;
  walk.add(Walk::kBody, "deliver", parks(resume));
  walk.run(true);
  SUBCASE("destroyed") { walk.exchange.reset(); }
  SUBCASE("taken back for the next request") { walk.exchange->reset(); }
  resume();
  CHECK(walk.told.empty());
}

TEST_CASE("an_old_resume_cannot_wake_the_next_request_of_the_connection") {
  Walk walk;
  std::vector<Resume> resumes;
  walk.add(Walk::kBody, "deliver", [&](Exchange& e) {
    resumes.push_back(e.park());
    return Verdict::parked;
  });
  walk.run(true);
  walk.exchange->reset();
  walk.run(true);
  resumes[0]();
  CHECK(walk.told.empty());
  walk.exchange->answer(200, wire::Outcome::forwarded, "");
  resumes[1]();
  CHECK(walk.told.size() == 1);
}

TEST_CASE("giving_up_on_a_parked_exchange_silences_its_resume") {
  Walk walk;
  Resume resume;
  walk.add(Walk::kBody, "deliver", parks(resume));
  walk.run(true);
  walk.exchange->answer(503, wire::Outcome::failed, "stopping");
  Runner::finish(walk.ruleset, *walk.exchange);
  resume();
  CHECK(walk.told.empty());
  CHECK(walk.counted(wire::Outcome::failed) == 1);
}

TEST_CASE("a_content_type_outside_the_list_is_refused_before_the_body_is_read") {
  Walk walk;
  walk.add(Walk::kBody, "deliver", forwarded);
  walk.ruleset.sources[0]->body_types = {"application/json"};
  walk.exchange->request.framing = http::Framing::length;
  int expected = 0;
  SUBCASE("another type") {
    walk.exchange->request.fields.add("Content-Type", "text/plain");
    expected = 415;
  }
  SUBCASE("no type") { expected = 415; }
  SUBCASE("the type in another case with parameters") {
    walk.exchange->request.fields.add("content-type", "Application/JSON ; charset=utf-8");
  }
  SUBCASE("no body at all") { walk.exchange->request.framing = http::Framing::none; }
  const Runner::State state = walk.run(false);
  CHECK((state == Runner::State::done) == (expected != 0));
  CHECK(walk.exchange->reply.status == expected);
}

TEST_CASE("unmatched_requests_are_counted_in_the_last_row") {
  Walk walk;
  CHECK(walk.counters.at(nullptr, wire::Outcome::rejected) == 0);
  walk.exchange->answer(400, wire::Outcome::rejected, "head");
  Runner::finish(walk.ruleset, *walk.exchange);
  CHECK(walk.counters.at(nullptr, wire::Outcome::rejected) == 1);
  CHECK(walk.counted(wire::Outcome::rejected) == 0);
}

TEST_CASE("belays_own_answer_is_small_json") {
  Walk walk;
  walk.exchange->id = *MessageId::parse("01890a5d-ac96-774b-bcce-b302099a8057");
  walk.exchange->answer(429, wire::Outcome::rejected, "limit: over \"100/min\"", 30);
  CHECK(walk.exchange->reply.head == "Content-Type: application/json\r\nRetry-After: 30\r\n");
  CHECK(walk.exchange->reply.body ==
        "{\"status\": \"rejected\", \"id\": \"01890a5d-ac96-774b-bcce-b302099a8057\", \"reason\": \"limit: over \\\"100/min\\\"\"}\n");
}
