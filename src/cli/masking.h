// Which header fields and query parameters carry credentials or signatures, so that a request can be shown without them: those
// that the rules of a source or destination name, and those whose name says so. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pipeline/module.h"
#include "upstream/destination.h"

namespace belay::cli {

class Mask {
 public:
  explicit Mask(const pipeline::Source* source);  // null: by their names alone
  // With its settings in `configuration`, for what `sign` adds.
  void add(const upstream::Destination& to, const conf::Configuration& configuration);

  bool hides_field(std::string_view name) const;
  // The value as it may be shown: itself, "***", or "Bearer ***".
  std::string field(std::string_view name, std::string_view value) const;
  // A target or query string.
  std::string target(std::string_view target) const;
  // A whole head: request line and fields, lines end in CRLF.
  std::string head(std::string_view head) const;

 private:
  void collect(const conf::Node& node);

  std::vector<std::string> fields_, parameters_;
};

}  // namespace belay::cli
