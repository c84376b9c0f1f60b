#include "spool/intake_impl.h"

namespace belay::spool {

bool Intake::Impl::on_claim(Connection& connection, const wire::Frame& frame) {
  auto request = wire::decode_claim_request(frame.payload);
  if (!request) return false;
  take_claim({{connection.number, frame.sequence, request->id}, std::move(request->claims)}, loop.now() + ClaimHolds::kPatience);
  return true;
}

void Intake::Impl::take_claim(Lookup lookup, MonotonicTime deadline) {
  const Asked& who = lookup.asked;
  const bool taken = holds.take(lookup.claims, who.id, who.connection, deadline, [this, lookup, deadline](bool again) {
    if (again) return take_claim(lookup, deadline);
    answer(lookup.asked, wire::ClaimResult{lookup.asked.id, wire::ClaimState::busy, {}});
  });
  if (taken) lookups.push_back(std::move(lookup));
}

// All of this turn in one question.
void Intake::Impl::look_up() {
  if (lookups.empty()) return;
  std::vector<wire::ClaimKey> keys;
  for (const Lookup& one : lookups) {
    for (const wire::Claim& claim : one.claims) keys.push_back(claim.key);
  }
  store.find_claims(std::move(keys), clock.wall(),
                    [this, guard = std::weak_ptr(alive), &to = loop,
                     who = std::exchange(lookups, {})](Result<std::vector<std::optional<wire::ClaimedBy>>> found) mutable {
                      to.post([this, guard, who = std::move(who), found = std::move(found)]() mutable {
                        if (guard.lock()) looked_up(who, std::move(found));
                      });
                    });
}

void Intake::Impl::looked_up(const std::vector<Lookup>& who, Result<std::vector<std::optional<wire::ClaimedBy>>> found) {
  size_t at = 0;
  for (const Lookup& one : who) {
    wire::ClaimResult result{one.asked.id, wire::ClaimState::fresh, {}};
    if (!found) result.state = wire::ClaimState::busy;  // our fault: it is not known, so nothing may be sent
    for (uint8_t i = 0; found && i < one.claims.size(); ++i, ++at) {
      const auto& by = (*found)[at];
      if (!by || by->first == one.asked.id || result.state == wire::ClaimState::claimed) continue;
      result.state = wire::ClaimState::claimed;
      result.by = *by;
      result.by.claim = i;
    }
    answer(one.asked, result);
    if (result.state != wire::ClaimState::fresh || find(one.asked.connection) == nullptr) holds.release(one.asked.id);
  }
}

void Intake::Impl::answer(const Asked& one, const wire::ClaimResult& result) {
  Connection* connection = find(one.connection);
  if (connection == nullptr) return;
  std::string& out = connection->stream.out();
  const size_t start = wire::begin_frame(out);
  wire::append(out, result);
  wire::end_frame(out, start, FrameType::claim_result, one.sequence);
}

}  // namespace belay::spool
