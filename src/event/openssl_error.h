// OpenSSL's error queue as one clear line; for src/event only. The queue is per thread and empty afterwards.
#pragma once

#include <string>

namespace belay::event {

// "wrong version number" of the earliest queued error, or `otherwise` when the queue is empty.
std::string take_openssl_reason(const std::string& otherwise);

}  // namespace belay::event
