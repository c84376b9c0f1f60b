// The body a message of the crash tests has, from its id: what was stored can be checked without remembering it.
#pragma once

#include <string>

#include "base/id.h"

namespace belay::crash {

inline std::string body_of(const MessageId& id) {
  const size_t size = 200 + size_t{id.bytes[15]} * size_t{id.bytes[14]};  // up to 65 KB: inline and in chunks
  std::string body;
  body.reserve(size + 16);
  while (body.size() < size) body.append(id.view());
  return body;
}

}  // namespace belay::crash
