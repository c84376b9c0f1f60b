// What the sender gets when Belay answers for the backend (spooled, filtered): `reply` of the source, else Belay's own
// JSON.
#pragma once

#include <string_view>

#include "pipeline/module.h"

namespace belay::modules {

// Seconds after which a sender may try again what we could not take.
inline constexpr int kRetryAfterSeconds = 5;

// `told` as in Exchange::answer().
void answer_for_backend(pipeline::Exchange& exchange, int status, wire::Outcome outcome, std::string_view reason,
                        std::string_view told = {});

// The request as received, to be stored: without fields that name the sender where nobody vouches for them.
wire::StoredRequest received_request(const pipeline::Exchange& exchange);
void fill(wire::StoredRequest& request, const pipeline::Exchange& exchange);  // one that is used again keeps the room of its texts
// Of one that was sent and will be used again: keeps no bodies that transforms made, and no more room than Exchange::kKeep for
// what came.
void let_go(wire::Put& put);

// The exchange as a line of the books, with its outcome and reply as they stand.
wire::Event event_of(const pipeline::Exchange& exchange);
void fill(wire::Event& event, const pipeline::Exchange& exchange);

}  // namespace belay::modules
