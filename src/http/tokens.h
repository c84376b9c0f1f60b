// llhttp's place: takes a whole, already scanned head apart into fields with every lenient flag off. Nothing else in
// Belay includes llhttp.h. Internal to http/. Stateless.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/message.h"
#include "http/parser.h"

namespace belay::http {

enum class HeadKind : uint8_t { request, response };

// Appends to `fields`, values without surrounding white space. False with `refusal` filled in when llhttp does not
// accept exactly this head: an unknown method is 501, everything else 400.
bool read_tokens(HeadKind kind, std::string_view head, Fields& fields, Refusal& refusal);

}  // namespace belay::http
