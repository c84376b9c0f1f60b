#include "modules/schema/formats.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/ip.h"
#include "conf/section.h"
#include "http/url.h"

namespace belay::modules::schema {

namespace {

bool is_date_time(std::string_view text) { return conf::parse_time(text).ok(); }

bool is_date(std::string_view text) { return text.size() == 10 && is_date_time(std::string(text) + "T00:00:00Z"); }

bool is_time(std::string_view text) { return text.size() >= 9 && is_date_time("2000-01-01T" + std::string(text)); }

// The shape of a mailbox, not all of RFC 5321: one '@' with something in front and a name behind it.
bool is_email(std::string_view text) {
  const size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0 || text.size() - at < 2 || text.find_first_of(" \t\r\n<>") != std::string_view::npos) return false;
  const std::string_view host = text.substr(at + 1);
  return host.front() != '.' && host.back() != '.' && host.find("..") == std::string_view::npos &&
         (text.front() == '"' || text.substr(0, at).find('@') == std::string_view::npos);
}

bool is_ipv4(std::string_view text) { return text.find(':') == std::string_view::npos && IpAddress::parse(text).has_value(); }

bool is_ipv6(std::string_view text) {
  return text.find(':') != std::string_view::npos && text.find('[') == std::string_view::npos && IpAddress::parse(text).has_value();
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const char c = ascii_lower(text[i]);
    if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

// scheme ":" and no byte that must be percent-coded (RFC 3986 §3).
bool is_uri(std::string_view text) {
  const size_t colon = text.find(':');
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (colon == std::string_view::npos || colon == 0 || !letter(text[0])) return false;
  for (const char c : text.substr(0, colon)) {
    if (!letter(c) && !(c >= '0' && c <= '9') && c != '+' && c != '-' && c != '.') return false;
  }
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return c > 0x20 && c < 0x7F && std::string_view("\"<>\\^`{|}").find(c) == std::string_view::npos;
  });
  return plain && http::percent_decode(text).has_value();
}

constexpr Format kFormats[] = {
    {"date-time", is_date_time}, {"date", is_date}, {"time", is_time}, {"email", is_email},
    {"ipv4", is_ipv4}, {"ipv6", is_ipv6}, {"uuid", is_uuid}, {"uri", is_uri},
};

}  // namespace

const Format* find_format(std::string_view name) {
  for (const Format& format : kFormats) {
    if (format.name == name) return &format;
  }
  return nullptr;
}

std::string format_names() {
  std::string names;
  for (const Format& format : kFormats) names.append(names.empty() ? "" : ", ").append(format.name);
  return names;
}

}  // namespace belay::modules::schema
