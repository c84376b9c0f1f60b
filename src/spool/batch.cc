#include "spool/batch.h"

#include <algorithm>

#include "base/bytes.h"
#include "http/writer.h"

namespace belay::spool {

namespace {

std::string array_of(const std::vector<std::string>& bodies) {
  std::string out = "[";
  for (const std::string& body : bodies) {
    if (out.size() > 1) out.push_back(',');
    out.append(body);
  }
  return out.append("]");
}

// Line breaks of a JSON text stand between its tokens, where a space says the same (RFC 8259 §2).
std::string lines_of(const std::vector<std::string>& bodies) {
  std::string out;
  for (const std::string& body : bodies) {
    for (const char c : body) out.push_back(c == '\n' || c == '\r' ? ' ' : c);
    out.push_back('\n');
  }
  return out;
}

}  // namespace

Message merge(const Message& first, uint16_t shape, wire::GroupKind kind, const std::vector<std::string>& bodies) {
  Message merged;
  merged.event = first.event;
  merged.shapes.resize(shape);
  const bool array = kind == wire::GroupKind::batch_array;
  const wire::StoredRequest& from = first.shape(shape);
  wire::StoredRequest& request = merged.shape(shape);
  request.method = from.method;
  request.target = from.target;
  request.path_rest = from.path_rest;
  request.path = from.path;
  request.forwarded_for = from.forwarded_for;
  request.tls = from.tls;
  for (const auto& [name, value] : from.fields) {
    if (!http::describes_body(name) && !ascii_iequals(name, "content-type")) request.fields.emplace_back(name, value);
  }
  request.fields.emplace_back("Content-Type", array ? "application/json" : "application/x-ndjson");
  request.body = array ? array_of(bodies) : lines_of(bodies);
  request.has_body = true;
  return merged;
}

}  // namespace belay::spool
