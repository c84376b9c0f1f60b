#include "base/result.h"

#include <cerrno>
#include <system_error>

namespace belay {

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid: return "invalid";
    case ErrorKind::refused: return "refused";
    case ErrorKind::unavailable: return "unavailable";
    case ErrorKind::timeout: return "timeout";
    case ErrorKind::full: return "full";
    case ErrorKind::corrupt: return "corrupt";
    case ErrorKind::io: return "io";
  }
  return "unknown";
}

Error errno_error(std::string_view action) {
  const int number = errno;
  return {ErrorKind::io, std::string(action) + ": " + std::generic_category().message(number)};
}

}  // namespace belay
