// Content codings (RFC 9110 §8.4.1) undone for reading: gzip and deflate, also one in the other. What is signed and forwarded stays
// the body as it arrived; this is a copy for the rules. Pure. Limits: kMaxCodings, CodingLimits; what goes beyond them is refused
// while it unfolds, so that a bomb costs no more than the limit. Failure: an unknown coding, a broken or cut stream and bytes
// behind the end of one are errors. The only file that sees zlib is content_coding.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/message.h"

namespace belay::payload {

constexpr size_t kMaxCodings = 2;

struct CodingLimits {
  size_t bytes = size_t{16} << 20;  // of the result, and of every step to it
  // Bytes of the result for each byte of the input. JSON and XML seldom shrink below a thirtieth, a bomb to a thousandth. Counts
  // from kRatioFrom bytes on: small texts of blanks or zeros are harmless.
  size_t ratio = 100;
  static constexpr size_t kRatioFrom = size_t{1} << 20;
};

enum class Coding : uint8_t { gzip, deflate };

// What all Content-Encoding fields together name, in the order it was applied; "identity" is left out.
Result<std::vector<Coding>> content_codings(const http::Fields& fields);

// The body with `codings` undone, the last one first. At least one.
Result<std::string> undo_codings(const std::vector<Coding>& codings, std::string_view body, const CodingLimits& limits);

}  // namespace belay::payload
