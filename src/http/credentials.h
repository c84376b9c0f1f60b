// What several modules look up in a request: a header that must stand there once, a query parameter, credentials. Views
// into the request; the only copies are of percent-encoded query values. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "http/message.h"

namespace belay::http {

enum class Presence : uint8_t { missing, once, repeated };

// The value of a header that carries credentials or a signature. Two copies are refused instead of choosing one: the
// backend might choose the other. An empty value counts as missing.
Presence single_header(const Fields& fields, std::string_view name, std::string_view& value);

// The value of a query parameter, percent-decoded; repeated like a header.
Presence single_query(std::string_view query, std::string_view name, std::string& value);

// What follows an authentication scheme in an Authorization value ("Bearer x" → "x"); the scheme's case does not matter
// (RFC 9110 §11.1). nullopt for another scheme.
std::optional<std::string_view> credentials(std::string_view value, std::string_view scheme);

// Every byte is a visible ASCII character of RFC 3986 unreserved, or one of + / = : @ — what tokens and challenges are
// made of.
bool is_token_text(std::string_view text);

// Only the letters of base64 or base64url, with up to two '=' at the end: nothing that could be a form, a JSON object or a
// "time.body" of a signature scheme.
bool is_base64_text(std::string_view text);

}  // namespace belay::http
