// One request that `belay listen` got, as a line for people and as a line of JSON. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "event/simple_server.h"

namespace belay::cli {

struct Received {
  uint64_t number = 0;  // from 1
  WallTime at{};
  const event::SimpleRequest* request = nullptr;
  int answered = 200;
};

// "09:30:00.123  POST /customers  200  id 0199… attempt 1  474 B  {"id": …"; foreign bytes are made visible.
std::string received_line(const Received& received, bool colours);

// {"n", "time", "method", "target", "headers": [[name, value], …] in order, "answered", "body_bytes", "body_sha256"} and
// "body_base64" with `bodies`. One line without its end.
std::string received_json(const Received& received, bool bodies);

}  // namespace belay::cli
