// What a transform changed, as lines for people: of the payload value by value where both sides are JSON, of the head field by
// field. Pure. Limits: kMaxValues in a payload, beyond it the payload is one change.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/masking.h"
#include "http/message.h"
#include "wire/messages.h"

namespace belay::cli {

struct Change {
  enum class Kind : uint8_t { changed, removed, added };
  Kind kind = Kind::changed;
  std::string place;          // "data.Status.value", "header X-Event", "method"; "payload": as a whole
  std::string before, after;  // JSON of the value as written, or text
};

inline constexpr size_t kMaxValues = 20'000;

// In the order of `before`, then what was added in the order of `after`; empty when the bytes are the same.
std::vector<Change> payload_changes(std::string_view before, std::string_view after);

// Method, target, path and fields; those of one hop and those that frame the body are left out. Values of hidden ones are masked.
std::vector<Change> head_changes(const http::RequestHead& before, const wire::StoredRequest& after, bool vouched, const Mask& mask);

std::string_view to_string(Change::Kind kind);

}  // namespace belay::cli
