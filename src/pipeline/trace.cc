#include "pipeline/trace.h"

#include "rules/expression.h"

namespace belay::pipeline {

void Trace::leave(Decision decision) {
  if (steps.back().decision == Decision::passed) steps.back().decision = decision;
}

void Trace::condition(std::string place, const rules::Expression& expression, const rules::Value& value) {
  const bool decided = value.kind() == rules::Kind::boolean;
  std::string error = decided ? std::string() : expression.no_answer(value).message;
  const std::string advice = value.is_error() ? expression.advice(value.failure()) : std::string();
  if (!advice.empty()) error += "; " + advice;
  steps.back().conditions.push_back({.place = std::move(place),
                                     .text = expression.text(),
                                     .position = expression.position(),
                                     .truth = !decided ? Truth::error : value.is_true() ? Truth::yes : Truth::no,
                                     .error = std::move(error)});
}

void Trace::no_condition(std::string place, conf::Position position) {
  steps.back().conditions.push_back({.place = std::move(place), .text = "always", .position = std::move(position), .truth = Truth::yes, .error = {}});
}

bool Trace::excuses(const signature::Finding& finding, bool fetches) {
  const bool not_known = finding.is == signature::Finding::Is::unavailable && !fetches;
  if (!without_proof && !not_known) return false;
  steps.back().decision = Decision::excused;
  steps.back().note.assign(finding.reason);
  return true;
}

}  // namespace belay::pipeline
