// URLs of the rules (destinations, JWKS) and of requests: parse, compare, percent-coding, query strings. RFC 3986. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace belay::http {

struct Url {
  std::string scheme;  // "http" | "https" | "unix" ("unix:/run/app.sock", optionally "unix:/run/app.sock:/path")
  std::string host;    // lower case, IPv6 without brackets; socket path for unix
  uint16_t port = 0;   // default of the scheme filled in
  std::string path;    // as written; empty when the url has none
  std::string query;   // as written, without '?'
  bool explicit_port = false;
  bool has_path() const { return !path.empty(); }
  std::string authority() const;  // as a Host value: default port left out, IPv6 in brackets
};

// Refuses userinfo, fragments, control bytes, unknown schemes; the error says what to write.
Result<Url> parse_url(std::string_view text);

// %XX → bytes; '+' → space only when `form`. nullopt on a broken escape.
std::optional<std::string> percent_decode(std::string_view text, bool form = false);
std::string percent_encode(std::string_view text);  // everything but unreserved (RFC 3986 §2.3)

// Fields of a query string or form body in order, decoded; broken escapes keep their bytes as written.
std::vector<std::pair<std::string, std::string>> parse_form(std::string_view text);

}  // namespace belay::http
