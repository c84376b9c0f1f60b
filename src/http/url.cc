#include "http/url.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/ip.h"
#include "base/masked_url.h"
#include "http/chars.h"

namespace belay::http {

namespace {

constexpr uint16_t kHttpPort = 80;
constexpr uint16_t kHttpsPort = 443;

uint16_t default_port(std::string_view scheme) {
  return scheme == "https" ? kHttpsPort : scheme == "http" ? kHttpPort : uint16_t{0};
}

Error bad(std::string_view text, std::string_view what) {
  return invalid("url '" + printable(masked_url(text)) + "' " + std::string(what));
}

// Splits "path?query" as written.
void take_path(std::string_view rest, Url& url) {
  const size_t mark = rest.find('?');
  url.path = rest.substr(0, mark);
  if (mark != std::string_view::npos) url.query = rest.substr(mark + 1);
}

Result<void> take_port(std::string_view text, std::string_view port, Url& url) {
  const auto number = parse_u64(port);
  if (!number || *number == 0 || *number > 65535) {
    return bad(text, "has the port '" + printable(port) + "'; write a number from 1 to 65535, or leave the ':' out");
  }
  url.port = static_cast<uint16_t>(*number);
  url.explicit_port = true;
  return {};
}

Result<void> take_authority(std::string_view text, std::string_view authority, Url& url) {
  if (authority.find('@') != std::string_view::npos) {
    return bad(text, "carries a user or password; leave them out and use the destination's auth");
  }
  size_t host_end = 0;
  if (!authority.empty() && authority[0] == '[') {
    const size_t bracket = authority.find(']');
    const std::string_view address = authority.substr(1, bracket == std::string_view::npos ? bracket : bracket - 1);
    if (bracket == std::string_view::npos || address.find(':') == std::string_view::npos ||
        !IpAddress::parse(address)) {
      return bad(text, "has no valid address between the brackets; write http://[2001:db8::1]:8080/");
    }
    url.host = ascii_lower(address);
    host_end = bracket + 1;
  } else {
    while (host_end < authority.size() && in(kUnreserved, authority[host_end])) ++host_end;
    url.host = ascii_lower(authority.substr(0, host_end));
  }
  if (url.host.empty()) return bad(text, "has no host; write http://host/path");
  if (host_end == authority.size()) return {};
  if (authority[host_end] != ':') {
    return bad(text, "has a host with the character '" + printable(authority.substr(host_end, 1)) +
                         "'; write a name of letters, digits, '-', '.' and '_', or an address (IPv6 in brackets)");
  }
  return take_port(text, authority.substr(host_end + 1), url);
}

// "unix:/run/app.sock", "unix:/run/app.sock:/path?query".
Result<Url> parse_unix(std::string_view text, std::string_view rest) {
  Url url;
  url.scheme = "unix";
  const size_t colon = rest.find(":/");
  url.host = rest.substr(0, colon);
  if (url.host.size() < 2 || url.host[0] != '/')
    return bad(text, "has no socket; write unix:/run/app.sock or unix:/run/app.sock:/path");
  if (colon != std::string_view::npos) take_path(rest.substr(colon + 1), url);
  return url;
}

// Bytes and escapes of the whole text; nullptr or what is wrong with it.
const char* check_bytes(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    if (byte <= 0x20 || byte >= 0x7F) return "has a blank, control or non-ASCII byte; write it as %XX";
    if (byte == '#') return "has a fragment, which is never sent; leave out '#' and what follows, or write %23";
    if (byte != '%') continue;
    if (text.size() - i < 3 || hex_value(text[i + 1]) < 0 || hex_value(text[i + 2]) < 0) {
      return "has a '%' that no two hexadecimal digits follow; write %25 for the sign itself";
    }
    i += 2;
  }
  return nullptr;
}

}  // namespace

std::string Url::authority() const {
  if (scheme == "unix") return "localhost";  // a socket has no name; backends want a Host nevertheless
  std::string out = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != default_port(scheme)) out += ":" + std::to_string(port);
  return out;
}

Result<Url> parse_url(std::string_view text) {
  if (const char* why = check_bytes(text)) return bad(text, why);
  const size_t colon = text.find(':');
  const std::string scheme = ascii_lower(text.substr(0, colon == std::string_view::npos ? 0 : colon));
  if (scheme == "unix") return parse_unix(text, text.substr(colon + 1));
  if ((scheme != "http" && scheme != "https") || text.substr(colon + 1, 2) != "//") {
    return bad(text, "does not begin with http://, https:// or unix:/; write one of them in front");
  }
  Url url;
  url.scheme = scheme;
  url.port = default_port(scheme);
  const size_t start = colon + 3;
  const size_t end = std::min(text.find_first_of("/?", start), text.size());
  if (auto taken = take_authority(text, text.substr(start, end - start), url); !taken) return taken.error();
  take_path(text.substr(end), url);
  return url;
}

std::optional<std::string> percent_decode(std::string_view text, bool form) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && form) {
      out.push_back(' ');
    } else if (text[i] != '%') {
      out.push_back(text[i]);
    } else {
      if (text.size() - i < 3) return std::nullopt;
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    }
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";  // upper case: RFC 3986 §2.1
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (in(kUnreserved, c)) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<uint8_t>(c);
    out.push_back('%');
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> parse_form(std::string_view text) {
  const auto decoded = [](std::string_view part) { return percent_decode(part, true).value_or(std::string(part)); };
  std::vector<std::pair<std::string, std::string>> fields;
  while (!text.empty()) {
    const size_t end = std::min(text.find('&'), text.size());
    const std::string_view field = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (field.empty()) continue;
    const size_t equals = field.find('=');
    const std::string_view value = equals == std::string_view::npos ? std::string_view{} : field.substr(equals + 1);
    fields.emplace_back(decoded(field.substr(0, equals)), decoded(value));
  }
  return fields;
}

size_t count_form_fields(std::string_view text) {
  size_t fields = 0;
  bool inside = false;
  for (const char c : text) {
    fields += !inside && c != '&' ? 1 : 0;
    inside = c != '&';
  }
  return fields;
}

bool has_dot_segments(std::string_view path) {
  const std::string decoded = percent_decode(path).value_or(std::string(path));
  std::string_view rest = decoded;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find_first_of("/\\"), rest.size());
    // What follows ';' is a parameter to some servers (RFC 3986 §3.3): "..;" climbs as well.
    const std::string_view segment = rest.substr(0, std::min(end, rest.find(';')));
    if (segment == "." || segment == "..") return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

std::string join_path(std::string_view base, std::string_view rest) {
  if (rest.empty()) return std::string(base.empty() ? "/" : base);
  if (!base.empty() && base.back() == '/') base.remove_suffix(1);
  if (rest.front() == '/') rest.remove_prefix(1);
  std::string out;
  out.reserve(base.size() + 1 + rest.size());
  return out.append(base).append(1, '/').append(rest);
}

}  // namespace belay::http
