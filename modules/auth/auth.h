// auth: credentials in the request, besides or instead of a signature: bearer, basic, header, query, jwt (shared
// secret), tls (client certificate), and any / all of them. 401 with WWW-Authenticate otherwise. Secrets are compared
// in constant time; a list of secrets with validity windows means rotation. Runs before the body is read. Limit:
// kMaxDepth of any / all.
#pragma once

#include "pipeline/module.h"

namespace belay::modules {

extern const pipeline::Module kAuth;

}  // namespace belay::modules
