#include "http/credentials.h"

#include <algorithm>

#include "base/bytes.h"
#include "http/url.h"

namespace belay::http {

Presence single_header(const Fields& fields, std::string_view name, std::string_view& value) {
  bool found = false;
  for (const Field& field : fields) {
    if (field.name.size() != name.size() || !ascii_iequals(field.name, name)) continue;
    if (found) return Presence::repeated;
    found = true;
    value = field.value;
  }
  return found && !value.empty() ? Presence::once : Presence::missing;
}

Presence single_query(std::string_view query, std::string_view name, std::string& value) {
  bool found = false;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const size_t equals = std::min(pair.find('='), pair.size());
    const auto key = percent_decode(pair.substr(0, equals), true);
    if (!key || *key != name) continue;
    if (found) return Presence::repeated;
    found = true;
    auto decoded = percent_decode(pair.substr(std::min(equals + 1, pair.size())), true);
    value = decoded ? std::move(*decoded) : std::string();
  }
  return found && !value.empty() ? Presence::once : Presence::missing;
}

std::optional<std::string_view> credentials(std::string_view value, std::string_view scheme) {
  if (value.size() <= scheme.size() || value[scheme.size()] != ' ') return std::nullopt;
  if (!ascii_iequals(value.substr(0, scheme.size()), scheme)) return std::nullopt;
  return trim_ows(value.substr(scheme.size()));
}

namespace {

// Letters, digits and `others`.
bool is_made_of(std::string_view text, std::string_view others) {
  return std::all_of(text.begin(), text.end(), [others](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           others.find(c) != std::string_view::npos;
  });
}

}  // namespace

bool is_token_text(std::string_view text) {
  return is_made_of(text, "-._~+/=:@");
}

bool is_base64_text(std::string_view text) {
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  return is_made_of(text, "-_+/");
}

}  // namespace belay::http
