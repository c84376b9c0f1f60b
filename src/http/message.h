// HTTP/1.1 messages as views: a head is parsed in place and its fields point into the buffer the bytes arrived in.
// Owner of the bytes is whoever called the parser (a connection, an upstream, a stored record); a head must not outlive
// them. Order and case of field names are kept as received (promise P6). RFC 9110, RFC 9112.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belay::http {

struct Field {
  std::string_view name;
  std::string_view value;  // without surrounding white space
};

class Fields {
 public:
  void clear() { fields_.clear(); }
  void add(std::string_view name, std::string_view value) { fields_.push_back({name, value}); }
  size_t size() const { return fields_.size(); }
  const Field* begin() const { return fields_.data(); }
  const Field* end() const { return fields_.data() + fields_.size(); }
  const Field& operator[](size_t i) const { return fields_[i]; }
  // First value of the name, case-insensitive; nullptr when absent.
  const std::string_view* find(std::string_view name) const;
  std::vector<std::string_view> all(std::string_view name) const;

 private:
  std::vector<Field> fields_;
};

enum class Framing : uint8_t {
  none,     // no body
  length,   // content_length bytes
  chunked,  // RFC 9112 §7.1
  close,    // responses only: until the peer closes
};

struct RequestHead {
  std::string_view method;
  std::string_view target;  // as received: origin-form ("/a?b"), or absolute-form reduced to its origin-form part
  std::string_view path;    // target up to '?'
  std::string_view query;   // after '?', without it
  std::string_view host;    // validated Host (RFC 9110 §7.2), or the authority of an absolute-form target
  int minor_version = 1;
  Framing framing = Framing::none;
  uint64_t content_length = 0;
  bool keep_alive = true;
  bool expect_continue = false;
  Fields fields;
};

struct ResponseHead {
  int status = 0;
  std::string_view reason;
  int minor_version = 1;
  Framing framing = Framing::none;
  uint64_t content_length = 0;
  bool keep_alive = true;
  Fields fields;
};

// What a peer may cost us before it is refused. Bytes and counts.
struct HeadLimits {
  size_t head_bytes = 32 << 10;  // whole head; a longer request line is 414, longer fields are 431
  size_t target_bytes = 8 << 10;
  size_t fields = 100;
};

// Standard reason phrase; "Unknown" for others.
std::string_view reason_phrase(int status);

}  // namespace belay::http
