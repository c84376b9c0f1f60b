// The signature of an attempt (`sign` of a destination): computed over what is sent, after transforms and the destination's own
// fields, and never stored. Pure.
#pragma once

#include <string>

#include "upstream/client.h"

namespace belay::upstream {

// `out` from `start` on is a request's head without its empty line. It gets the fields, or the query parameter, that the scheme
// adds, in place of the sender's of the same name.
Result<void> sign_head(std::string& out, size_t start, const signature::Scheme& scheme, const http::Url& url, const Outbound& request);

}  // namespace belay::upstream
