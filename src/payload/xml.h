// XML as JSON text, so that rules read every payload by the same values; README.md of this folder has the mapping. Well-formed
// XML 1.0 only (expat checks it; names keep their prefixes as written, namespaces are not resolved). A DOCTYPE is refused, so there
// are no entities but the five of XML and numeric ones, and nothing is ever fetched. Work is linear in the text; limits below.
// Pure. The only file that sees expat is xml.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace belay::payload {

struct XmlLimits {
  uint32_t depth = 64;                 // elements inside each other
  uint32_t nodes = 100'000;            // elements and attributes
  uint32_t attributes = 1000;          // of one element
  size_t markup = size_t{256} << 10;   // bytes of one tag, comment or processing instruction
};

// `text` is UTF-8 without a byte order mark; what its declaration says about the encoding does not matter any more.
Result<std::string> xml_to_json(std::string_view text, const XmlLimits& limits = {});

// Levels of JSON that `limits` can lead to.
constexpr uint32_t json_depth(const XmlLimits& limits) { return 2 * limits.depth + 2; }

// The name behind encoding= of an XML declaration at the start of the text; empty when there is none.
std::string_view declared_encoding(std::string_view text);

}  // namespace belay::payload
