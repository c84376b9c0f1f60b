#include "pipeline/key_wait.h"

namespace belay::pipeline {

Verdict decide_with_keys(Exchange& exchange, const AskProof& ask, const ConcludeProof& conclude, int waits) {
  signature::Finding finding = ask(exchange);
  if (finding.is != signature::Finding::Is::pending) return conclude(exchange, finding);
  if (waits == 0) {
    finding.is = signature::Finding::Is::unavailable;
    return conclude(exchange, finding);
  }
  exchange.services.keys->when_known(finding.url, [ask, conclude, waits, resume = exchange.park()] {
    if (Exchange* const waiting = resume.exchange()) {
      if (decide_with_keys(*waiting, ask, conclude, waits - 1) == Verdict::parked) return;
    }
    resume();
  });
  return Verdict::parked;
}

}  // namespace belay::pipeline
