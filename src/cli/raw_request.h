// A request as a file holds it: raw HTTP/1.1, head and body, as `belay show --raw` prints one. Read by verify and explain. One
// thread. Failure: an Error that says what is wrong with the file.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "http/message.h"

namespace belay::cli {

struct RawRequest {
  static Result<std::unique_ptr<RawRequest>> parse(std::string bytes);
  // The same of a head (ends with its empty line) whose body is known.
  static Result<std::unique_ptr<RawRequest>> of(std::string head_bytes, std::string body);

  RawRequest() = default;
  RawRequest(const RawRequest&) = delete;  // `head` points into `bytes`
  RawRequest& operator=(const RawRequest&) = delete;

  std::string bytes, body;
  http::RequestHead head;
};

// A whole file; "-" is standard input. At most kMaxInput bytes.
inline constexpr size_t kMaxInput = size_t{64} << 20;
Result<std::string> read_input(const std::string& path);

}  // namespace belay::cli
