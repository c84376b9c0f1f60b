#include "base/bytes.h"
#include "base/check.h"
#include "pipeline/module.h"
#include "pipeline/trace.h"

namespace belay::pipeline {

namespace {

// The next step of the walk; null at its end.
const Source::Step* step_at(const Ruleset& ruleset, const Source* source, size_t index) {
  if (index < ruleset.before.size()) return &ruleset.before[index];
  if (source == nullptr) return nullptr;
  index -= ruleset.before.size();
  return index < source->steps.size() ? &source->steps[index] : nullptr;
}

// source.body.types against Content-Type without its parameters (RFC 9110 §8.3.1). A request without a body has no type.
bool type_accepted(const Exchange& exchange) {
  const auto& types = exchange.source->body_types;
  if (types.empty() || exchange.request.framing == http::Framing::none) return true;
  const std::string_view* value = exchange.request.fields.find("content-type");
  if (value == nullptr) return false;
  const std::string_view essence = trim_ows(value->substr(0, value->find(';')));
  for (const std::string& type : types) {
    if (ascii_iequals(type, essence)) return true;
  }
  return false;
}

void note(Trace& trace, Verdict verdict) {
  trace.leave(verdict == Verdict::next    ? Trace::Decision::passed
              : verdict == Verdict::reply ? Trace::Decision::answered
                                          : Trace::Decision::waits);
}

}  // namespace

Runner::State Runner::run(const Ruleset& ruleset, Exchange& exchange, bool body_complete, const Resumed& resumed) {
  BELAY_CHECK_NOTE(!exchange.parked_ && !exchange.finished_, "Runner::run() on an exchange that is parked or done");
  exchange.ruleset_ = &ruleset;
  exchange.body_complete_ = body_complete;
  const State state = walk(exchange);
  if (state == State::parked) exchange.resumed_ = resumed;
  return state;
}

Runner::State Runner::walk(Exchange& exchange) {
  const Ruleset& ruleset = *exchange.ruleset_;
  while (const Source::Step* step = step_at(ruleset, exchange.source, exchange.step_)) {
    if (step->module->stage == Stage::on_body && !exchange.body_complete_) {
      if (!type_accepted(exchange)) {
        exchange.answer(415, wire::Outcome::rejected, "body: this content type is not accepted");
        break;
      }
      return State::need_body;
    }
    ++exchange.step_;
    if (exchange.trace != nullptr) exchange.trace->enter(step->module->key);
    const Verdict verdict = step->handler->handle(exchange);
    if (exchange.trace != nullptr) note(*exchange.trace, verdict);
    if (verdict == Verdict::parked) {
      BELAY_CHECK_NOTE(exchange.resume_target_ && exchange.resume_target_->ticket != 0, "parked without park()");
      exchange.parked_ = true;
      return State::parked;
    }
    if (verdict == Verdict::reply) {
      BELAY_CHECK_NOTE(exchange.reply.status != 0, "Verdict::reply without a reply");
      break;
    }
  }
  if (exchange.reply.status == 0) {
    exchange.answer(500, wire::Outcome::failed, "no module of this source answers");
  }
  finish(ruleset, exchange);
  return State::done;
}

void Runner::resume(Exchange& exchange) {
  BELAY_CHECK_NOTE(exchange.parked_, "resumed inside the handler that parks");
  exchange.parked_ = false;
  State state = State::done;
  if (exchange.reply.status != 0) {
    finish(*exchange.ruleset_, exchange);
  } else {
    state = walk(exchange);
  }
  if (state == State::parked) return;
  // Moved out first: the callee may reset the exchange and start its next walk.
  const Resumed resumed = std::move(exchange.resumed_);
  resumed(state);
}

void Runner::finish(const Ruleset& ruleset, Exchange& exchange) {
  if (exchange.finished_) return;
  exchange.finished_ = true;
  // A call that has just resumed the exchange is still on the stack: it dies with reset().
  if (exchange.parked_) exchange.call.reset();
  exchange.place.give_back();
  exchange.parked_ = false;
  if (exchange.resume_target_) exchange.resume_target_->ticket = 0;
  if (exchange.trace != nullptr) return;  // it is no webhook: neither counted nor logged
  if (exchange.services.counters != nullptr) ++exchange.services.counters->at(exchange.source, exchange.outcome);
  for (const Source::Step& step : ruleset.after) step.handler->handle(exchange);
}

}  // namespace belay::pipeline
