#include "admin/call.h"

#include <fmt/format.h>

#include "base/check.h"

namespace belay::admin {

Api::~Api() {
  for (auto& [ticket, respond] : pending_) {
    respond(error_response({503, "the spool is stopping", "ask again when it is back"}));
  }
}

std::optional<uint64_t> Api::park(Respond respond) {
  if (pending_.size() >= kMaxPending) return std::nullopt;
  const uint64_t ticket = next_ticket_++;
  pending_.emplace(ticket, std::move(respond));
  return ticket;
}

void Api::settle(uint64_t ticket, event::SimpleResponse response) {
  const auto found = pending_.find(ticket);
  BELAY_CHECK_NOTE(found != pending_.end(), "an operation answered twice");
  const Respond respond = std::move(found->second);
  pending_.erase(found);
  respond(std::move(response));
}

std::optional<uint64_t> Call::park() {
  const auto ticket = api.park(respond_);
  if (!ticket) refuse({503, fmt::format("{} calls are under way", Api::kMaxPending), "ask again in a moment"});
  return ticket;
}

}  // namespace belay::admin
