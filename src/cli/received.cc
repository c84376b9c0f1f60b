#include "cli/received.h"

#include <fmt/format.h>

#include "admin/json_writer.h"
#include "base/bytes.h"
#include "base/sha256.h"
#include "cli/human.h"

namespace belay::cli {

namespace {

constexpr size_t kPreview = 60;
constexpr size_t kMaxTarget = 80;

std::string target_of(const event::SimpleRequest& request) {
  return request.query.empty() ? request.path : request.path + "?" + request.query;
}

std::string sha256_hex(std::string_view bytes) {
  const Sha256 hash = sha256({bytes});
  return hex_encode({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

// The body's beginning in one line: runs of white space become one space.
std::string preview(std::string_view body) {
  std::string flat;
  for (const char c : body.substr(0, 4 * kPreview)) {
    const bool space = c == ' ' || c == '\n' || c == '\r' || c == '\t';
    if (!space) {
      flat.push_back(c);
    } else if (!flat.empty() && flat.back() != ' ') {
      flat.push_back(' ');
    }
  }
  return visible(flat, kPreview);
}

}  // namespace

std::string received_line(const Received& received, bool colours) {
  const event::SimpleRequest& request = *received.request;
  const Colour colour = received.answered < 300 ? Colour::green : Colour::red;
  std::string line = fmt::format("{}  {} {}  {}", coloured(format_clock(received.at), Colour::grey, colours), request.method,
                                 visible(target_of(request), kMaxTarget),
                                 coloured(fmt::format("{}", received.answered), colour, colours));
  const std::string* id = request.header("webhook-id");
  const std::string* attempt = request.header("webhook-attempt");
  if (id != nullptr) line += fmt::format("  id {}", visible(*id, 60));
  if (attempt != nullptr) line += fmt::format("  attempt {}", visible(*attempt, 10));
  line += fmt::format("  {}", format_bytes(request.body.size()));
  const std::string beginning = preview(request.body);
  if (!beginning.empty()) line += fmt::format("  {}", coloured(beginning, Colour::grey, colours));
  return line;
}

std::string received_json(const Received& received, bool bodies) {
  const event::SimpleRequest& request = *received.request;
  admin::JsonWriter json;
  json.begin_object().field("n", received.number).field("time", std::optional(received.at));
  json.field("method", request.method).field("target", target_of(request));
  json.name("headers").begin_array();
  for (const auto& [name, value] : request.headers) json.begin_array().text(name).text(value).end_array();
  json.end_array().field("answered", received.answered);
  json.field("body_bytes", uint64_t{request.body.size()}).field("body_sha256", sha256_hex(request.body));
  if (bodies) json.field("body_base64", base64_encode(request.body));
  json.end_object();
  return json.take();
}

}  // namespace belay::cli
