// GET /v1/openapi.json: the admin API described for machines, OpenAPI 3.1, made from the table that dispatches. Pure.
#pragma once

#include <string>

namespace belay::admin {

std::string render_openapi();

}  // namespace belay::admin
