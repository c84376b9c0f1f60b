// Which call a method and path mean, and what to say when they mean none: 404 with the nearest path, 405 with Allow, 400 for
// something that is not a message id. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "admin/parameters.h"
#include "base/id.h"

namespace belay::admin {

enum class Target : uint8_t { none, health, metrics, stats, events, message, raw_message, replay, pause, resume, disable, enable };

struct Match {
  Target target = Target::none;
  MessageId id;       // of message and raw_message
  std::string name;   // of pause, resume, disable and enable: the destination
  ApiError error;     // with none
  std::string allow;  // with none and 405
};

// HEAD is taken for GET.
Match match_route(std::string_view method, std::string_view path);

}  // namespace belay::admin
