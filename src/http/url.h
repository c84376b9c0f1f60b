// URLs of the rules (destinations, JWKS) and of requests: parse, compare, percent-coding, query strings. RFC 3986.
// Pure.
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
  std::string authority() const;  // as a Host value: default port left out, IPv6 in brackets, "localhost" for unix
};

// Refuses userinfo, fragments, control bytes, unknown schemes; the error says what to write.
Result<Url> parse_url(std::string_view text);

// %XX → bytes; '+' → space only when `form`. nullopt on a broken escape.
std::optional<std::string> percent_decode(std::string_view text, bool form = false);
std::string percent_encode(std::string_view text);  // everything but unreserved (RFC 3986 §2.3)

// Fields of a query string or form body in order, decoded; broken escapes keep their bytes as written. Empty fields
// ("a&&b") are left out; a field without '=' has an empty value.
std::vector<std::pair<std::string, std::string>> parse_form(std::string_view text);
size_t count_form_fields(std::string_view text);  // how many parse_form() would give; allocates nothing

// `base` and `rest` with exactly one '/' between them, `base` alone when `rest` is empty, "/" when both are.
std::string join_path(std::string_view base, std::string_view rest);

// A "." or ".." segment, also where it is percent-coded, between backslashes or in front of a ';': such a rest must not
// be joined to a base that a rule has chosen, because the backend would climb out of it.
bool has_dot_segments(std::string_view path);

}  // namespace belay::http
