// What of a request carries credentials or signatures, so that it can be shown without: header fields and query parameters that the rules
// of a source or destination name, or whose name says so; in the body, what the rules name. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/body_proofs.h"
#include "pipeline/module.h"
#include "upstream/destination.h"

namespace belay::cli {

class Mask {
 public:
  explicit Mask(const pipeline::Source* source);  // null: by their names alone
  // With its settings in `configuration`, for what `sign` adds.
  void add(const upstream::Destination& to, const conf::Configuration& configuration);

  // What this request's body holds is hidden from now on, wherever it stands.
  void add(const pipeline::Exchange& exchange) { proofs_.read(exchange); }

  bool hides_field(std::string_view name) const;
  // The value as it may be shown: itself, "***", or "Bearer ***".
  std::string field(std::string_view name, std::string_view value) const;
  // A target or query string.
  std::string target(std::string_view target) const;
  // A whole head: request line and fields, lines end in CRLF.
  std::string head(std::string_view head) const;
  // A payload, a part of one, or what was said of it.
  std::string text(std::string_view text) const { return proofs_.hide(text); }

 private:
  void collect(const conf::Node& node);

  std::vector<std::string> fields_, parameters_;
  BodyProofs proofs_;
};

}  // namespace belay::cli
