#include "admin/responses.h"

#include "admin/render.h"

namespace belay::admin {

event::SimpleResponse error_response(const ApiError& error) {
  event::SimpleResponse answer = json_response(error.status, render_error(error));
  if (error.status == 401) answer.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"belay\"");
  if (error.status == 503) answer.headers.emplace_back("Retry-After", "1");
  return answer;
}

ApiError to_api_error(const Error& error) {
  switch (error.kind) {
    case ErrorKind::invalid: return {400, error.message, {}};
    case ErrorKind::refused: return {409, error.message, {}};
    case ErrorKind::unavailable: return {503, error.message, "try again in a moment"};
    case ErrorKind::full: return {503, error.message, "make room: GET /health says what is full"};
    case ErrorKind::timeout: return {504, error.message, "try again, or ask for less"};
    case ErrorKind::corrupt: return {500, error.message, "the record does not match its checksum and was set aside"};
    case ErrorKind::io: return {500, error.message, "the log of the spool says more"};
  }
  return {500, error.message, {}};
}

}  // namespace belay::admin
