// The few forms an answer of the admin API takes. Pure.
#pragma once

#include <string>

#include "admin/parameters.h"
#include "event/simple_server.h"

namespace belay::admin {

// Answers hold payloads of customers: no cache keeps them and no browser guesses that one is a page.
inline event::SimpleResponse response(int status, std::string type, std::string body) {
  return {status,
          {{"Content-Type", std::move(type)}, {"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}},
          std::move(body)};
}

inline event::SimpleResponse json_response(int status, std::string body) {
  body.push_back('\n');
  return response(status, "application/json", std::move(body));
}

event::SimpleResponse error_response(const ApiError& error);

// What went wrong behind the API, as a status and a next step.
ApiError to_api_error(const Error& error);

}  // namespace belay::admin
