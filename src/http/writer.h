// Builds heads. Appends to a caller's string; no sockets, no allocation beyond that string's growth.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace belay::http {

void append_request_line(std::string& out, std::string_view method, std::string_view target);
void append_status_line(std::string& out, int status, std::string_view reason = {});
void append_field(std::string& out, std::string_view name, std::string_view value);
void append_content_length(std::string& out, uint64_t length);
inline void end_head(std::string& out) {
  out += "\r\n";
}

// Fields that belong to one hop and are never passed on (RFC 9110 §7.6.1), those named by Connection included: decided
// once per message with connection_options().
bool is_hop_by_hop(std::string_view name);
// Fields that say something about the bytes of the body as its sender wrote them (RFC 9110 §8, RFC 9530, RFC 1864).
bool describes_body(std::string_view name);
// Values of all Connection fields, split; usually none or one, never more than the parser lets pass. They are the
// peer's word: what we write ourselves (Host, Content-Length) is not theirs to take out.
std::vector<std::string_view> connection_options(const Fields& fields);

// A field value that may be written: no CR, LF, NUL or other control but HTAB (RFC 9110 §5.5).
bool is_field_value(std::string_view text);

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 §5.6.7).
std::string http_date(int64_t unix_seconds);
// Retry-After: delay-seconds or HTTP-date → seconds from `now_unix`, 0 for a date in the past, at most kMaxRetryAfter;
// -1 when it cannot be read (RFC 9110 §10.2.3).
inline constexpr int64_t kMaxRetryAfter = int64_t{10} * 365 * 86'400;
int64_t parse_retry_after(std::string_view value, int64_t now_unix);

}  // namespace belay::http
