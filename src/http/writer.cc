#include "http/writer.h"

#include <charconv>

#include "base/bytes.h"
#include "http/chars.h"

namespace belay::http {

void append_request_line(std::string& out, std::string_view method, std::string_view target) {
  out.append(method).append(1, ' ').append(target).append(" HTTP/1.1\r\n");
}

void append_status_line(std::string& out, int status, std::string_view reason) {
  const char digits[] = {static_cast<char>('0' + status / 100 % 10), static_cast<char>('0' + status / 10 % 10),
                         static_cast<char>('0' + status % 10), ' '};
  out.append("HTTP/1.1 ").append(digits, sizeof digits);
  out.append(reason.empty() ? reason_phrase(status) : reason).append("\r\n");
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

void append_content_length(std::string& out, uint64_t length) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, length).ptr;
  append_field(out, "Content-Length", {digits, static_cast<size_t>(end - digits)});
}

bool is_hop_by_hop(std::string_view name) {
  // The length decides nearly always: this runs for every field of every message.
  switch (name.size()) {
    case 2: return is_word(name, "te");
    case 7: return is_word(name, "upgrade") || is_word(name, "trailer");
    case 10: return is_word(name, "connection") || is_word(name, "keep-alive");
    case 16: return is_word(name, "proxy-connection");
    case 17: return is_word(name, "transfer-encoding");
    case 18: return is_word(name, "proxy-authenticate");
    case 19: return is_word(name, "proxy-authorization");
    default: return false;
  }
}

bool describes_body(std::string_view name) {
  switch (name.size()) {
    case 6: return is_word(name, "digest");
    case 11: return is_word(name, "content-md5") || is_word(name, "repr-digest");
    case 13: return is_word(name, "content-range");
    case 14: return is_word(name, "content-length") || is_word(name, "content-digest");
    case 16: return is_word(name, "content-encoding");
    default: return false;
  }
}

std::vector<std::string_view> connection_options(const Fields& fields) {
  std::vector<std::string_view> options;
  for (const Field& field : fields) {
    if (!is_word(field.name, "connection")) continue;
    std::string_view rest = field.value;
    for (;;) {
      const size_t comma = rest.find(',');
      const std::string_view option = trim_ows(rest.substr(0, comma));
      if (!option.empty()) options.push_back(option);
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return options;
}

bool is_field_value(std::string_view text) {
  return find_control(text.data(), text.data() + text.size()) == text.data() + text.size();
}

}  // namespace belay::http
