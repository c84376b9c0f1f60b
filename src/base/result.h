// Result<T>: a value or an Error, for everything the environment, a peer or a user can get wrong. It cannot be ignored
// ([[nodiscard]]) and reading the wrong side is a CHECK failure. Value semantics, no exceptions, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/check.h"

namespace belay {

enum class ErrorKind : uint8_t {
  invalid,      // the input is wrong; trying again will not help
  refused,      // a peer or a rule said no
  unavailable,  // not there at the moment; trying later may help
  timeout,      // a deadline passed
  full,         // a named limit is reached
  corrupt,      // stored or framed bytes do not match their checksum or form
  io,           // the operating system failed us
};

std::string_view to_string(ErrorKind kind);

struct Error {
  ErrorKind kind = ErrorKind::invalid;
  std::string message;  // one line, for people; no secret in it
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit on purpose
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit on purpose

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    BELAY_CHECK_NOTE(ok(), "Result::value() on an error");
    return std::get<0>(state_);
  }
  const T& value() const& {
    BELAY_CHECK_NOTE(ok(), "Result::value() on an error");
    return std::get<0>(state_);
  }
  T&& value() && {
    BELAY_CHECK_NOTE(ok(), "Result::value() on an error");
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const {
    BELAY_CHECK_NOTE(!ok(), "Result::error() on a value");
    return std::get<1>(state_);
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit on purpose

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const {
    BELAY_CHECK_NOTE(!ok(), "Result::error() on a value");
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

inline Error invalid(std::string message) { return {ErrorKind::invalid, std::move(message)}; }
inline Error io_error(std::string message) { return {ErrorKind::io, std::move(message)}; }

// "open /x: No such file or directory" for the current errno.
Error errno_error(std::string_view action);

}  // namespace belay
