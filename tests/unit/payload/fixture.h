// What the tests of payload/ share: a body with its fields, read to the JSON of its value or to the reason it is not readable.
#pragma once

#include <time.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "payload/payload.h"

namespace belay::payload_test {

using namespace belay::payload;

class Request {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;
  Request(Fields fields, std::string body, Options options = {}) : named_(std::move(fields)), body_(std::move(body)), options_(options) {
    for (const auto& [name, value] : named_) fields_.add(name, value);
  }
  rules::Value value() { return payload_.value(arena_); }
  rules::Value form() { return payload_.form(arena_); }
  rules::Arena& arena() { return arena_; }

 private:
  Fields named_;
  http::Fields fields_;
  std::string body_;
  Options options_;
  rules::Arena arena_;
  Payload payload_{fields_, body_, options_};
};

inline std::string show(const rules::Value& value) {
  if (value.is_error()) {
    constexpr std::string_view kPrefix = "the payload cannot be read: ";
    const std::string_view message = value.failure().message;
    const bool fits = value.failure().fault == rules::Fault::unreadable && message.starts_with(kPrefix);
    return fits ? "unreadable: " + std::string(message.substr(kPrefix.size())) : "wrong error: " + std::string(message);
  }
  return value.to_json().value();
}

inline std::string read(std::string type, std::string body, Options options = {}) {
  Request::Fields fields;
  if (!type.empty()) fields.push_back({"Content-Type", std::move(type)});
  return show(Request(std::move(fields), std::move(body), options).value());
}

// The target is 100 ms (the slowest is printed); sanitizers and a busy machine need more, what grows with a square far more.
constexpr int64_t kSoon = 1500;

// Of the processor, so that what else the machine does is not counted.
inline int64_t milliseconds(const std::function<void()>& work) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1'000'000;
  };
  const int64_t start = now();
  work();
  return now() - start;
}

}  // namespace belay::payload_test
