// One request as expressions and signature schemes see it, wherever it came from: a sender, a file on the command line, or
// an attempt to a destination. A plain view; everything in it is owned by whoever made it and must outlive the use.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "http/message.h"

namespace belay::payload {

// What identify found; also the log's and the books' columns.
struct EventFacts {
  std::string type, id, resource, time;
};

// {name} of match.path with what stood there, percent-decoded.
using Captures = std::vector<std::pair<std::string_view, std::string>>;

struct Options;

struct RequestView {
  const http::RequestHead* head = nullptr;  // never null in use
  std::string_view body;                    // whole, or empty as long as only the head was read
  std::string_view client;                  // address as text, or "unix:"
  std::string_view tls_subject;             // of a verified client certificate
  bool tls = false;
  std::string_view source;                  // its name
  const Captures* captures = nullptr;       // null: none
  const EventFacts* event = nullptr;        // null: none. Read at each use: identify fills it while a context lives
  const Options* decode = nullptr;          // how its payload is read; null: as Content-Type says
  WallTime received{};
};

}  // namespace belay::payload
