// Compressed bodies as senders make them: gzip (RFC 1952), zlib (what "deflate" means) and bare deflate.
#pragma once

#include <string>
#include <string_view>

namespace belay::test {

enum class Wrapper { gzip, zlib, none };

std::string compress(std::string_view text, Wrapper wrapper = Wrapper::gzip);

}  // namespace belay::test
