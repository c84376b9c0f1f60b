#include "http/target.h"

#include "base/bytes.h"
#include "base/ip.h"
#include "http/chars.h"

namespace belay::http {

namespace {

constexpr std::string_view kVersionForm = "HTTP/1.1";

bool refuse(Refusal& refusal, int status, const char* reason) {
  refusal = {status, reason};
  return false;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// "HTTP/" DIGIT "." DIGIT (RFC 9112 §2.3).
bool read_version(std::string_view text, int& minor_version, Refusal& refusal) {
  if (text.size() != kVersionForm.size() || text.substr(0, 5) != "HTTP/" || !is_digit(text[5]) || text[6] != '.' ||
      !is_digit(text[7])) {
    return refuse(refusal, 400, "request line does not end in an HTTP version");
  }
  if (text[5] != '1' || text[7] > '1') return refuse(refusal, 505, "HTTP version is neither 1.0 nor 1.1");
  minor_version = text[7] - '0';
  return true;
}

// Visible ASCII without '#', every '%' followed by two hex digits.
bool check_target_bytes(std::string_view target, Refusal& refusal) {
  for (size_t i = 0; i < target.size(); ++i) {
    const auto byte = static_cast<uint8_t>(target[i]);
    if (byte <= 0x20 || byte >= 0x7F)
      return refuse(refusal, 400, "request target has a byte that must be percent-coded");
    if (byte == '#') return refuse(refusal, 400, "request target has a fragment");
    if (byte != '%') continue;
    if (target.size() - i < 3 || hex_value(target[i + 1]) < 0 || hex_value(target[i + 2]) < 0) {
      return refuse(refusal, 400, "request target has a broken percent escape");
    }
    i += 2;
  }
  return true;
}

// "http://authority/path": leaves the origin-form part in out.target (RFC 9112 §3.2.2).
bool read_absolute_form(std::string_view line, RequestLine& out, Refusal& refusal) {
  const std::string_view target = out.target.of(line);
  size_t scheme = 0;
  if (ascii_iequals(target.substr(0, 7), "http://")) scheme = 7;
  if (ascii_iequals(target.substr(0, 8), "https://")) scheme = 8;
  if (scheme == 0) return refuse(refusal, 400, "request target is neither a path nor an http URL");
  const size_t length = std::min(target.find_first_of("/?", scheme), target.size()) - scheme;
  out.authority = {out.target.at + scheme, length};
  if (!is_authority(out.authority.of(line)))
    return refuse(refusal, 400, "authority of the request target is not valid");
  const std::string_view rest = target.substr(scheme + length);
  if (!rest.empty() && rest[0] == '/') {
    out.target = {out.target.at + scheme + length, rest.size()};
    return true;
  }
  // What is missing here is "/" (or "*" for OPTIONS); heads are views, so only a lone "/" can be given: the scheme's
  // own.
  if (!rest.empty() || out.method.of(line) == "OPTIONS") return refuse(refusal, 400, "request target has no path");
  out.target = {out.target.at + scheme - 1, 1};
  return true;
}

}  // namespace

bool read_request_line(std::string_view line, const HeadLimits& limits, RequestLine& out, Refusal& refusal) {
  const size_t method_end = line.find(' ');
  if (method_end == std::string_view::npos || !is_token(line.substr(0, method_end))) {
    return refuse(refusal, 400, "request line does not begin with a method");
  }
  const size_t target_end = line.rfind(' ');
  if (target_end == method_end) return refuse(refusal, 400, "request line has no HTTP version");
  if (!read_version(line.substr(target_end + 1), out.minor_version, refusal)) return false;

  out.method = {0, method_end};
  out.target = {method_end + 1, target_end - method_end - 1};
  out.authority = {};
  const std::string_view method = out.method.of(line);
  const std::string_view target = out.target.of(line);
  if (target.size() > limits.target_bytes) return refuse(refusal, 414, "request target over the limit");
  if (!check_target_bytes(target, refusal)) return false;
  // CONNECT would make a tunnel. TRACE would send back the credentials that a destination adds (RFC 9110 §9.3.8).
  if (method == "CONNECT" || method == "TRACE") return refuse(refusal, 501, "method is not served");
  if (target.empty()) return refuse(refusal, 400, "request line has no target");
  if (target[0] == '/') return true;
  if (target == "*") {
    return method == "OPTIONS" || refuse(refusal, 400, "request target * is for OPTIONS only");
  }
  return read_absolute_form(line, out, refusal);
}

bool is_authority(std::string_view text) {
  std::string_view port;
  size_t host_end = 0;
  if (!text.empty() && text[0] == '[') {
    const size_t bracket = text.find(']');
    if (bracket == std::string_view::npos) return false;
    const std::string_view address = text.substr(1, bracket - 1);
    if (address.find(':') == std::string_view::npos || !IpAddress::parse(address)) return false;
    host_end = bracket + 1;
  } else {
    while (host_end < text.size() && in(kUnreserved, text[host_end])) ++host_end;
    if (host_end == 0) return false;
  }
  if (host_end == text.size()) return true;
  if (text[host_end] != ':') return false;
  port = text.substr(host_end + 1);
  const auto number = parse_u64(port);
  return number && *number <= 65535;
}

}  // namespace belay::http
