#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "upstream/destination.h"

namespace belay::upstream {

namespace {

constexpr int kLowest = 100, kHighest = 599;

struct Range {
  int from = 0, to = 0;
};

std::optional<int> status_of(std::string_view text) {
  const auto number = text.size() == 3 ? parse_u64(text) : std::nullopt;
  if (!number || *number < kLowest || *number > kHighest) return std::nullopt;
  return static_cast<int>(*number);
}

// "5xx", "404", "500..599", ">=500", ">499", "<=404", "<400".
std::optional<Range> range_of(std::string_view term) {
  if (term.size() == 3 && ascii_iequals(term.substr(1), "xx") && term[0] >= '1' && term[0] <= '5') {
    const int first = (term[0] - '0') * 100;
    return Range{first, first + 99};
  }
  if (const size_t dots = term.find(".."); dots != std::string_view::npos) {
    const auto from = status_of(term.substr(0, dots)), to = status_of(term.substr(dots + 2));
    if (!from || !to || *from > *to) return std::nullopt;
    return Range{*from, *to};
  }
  struct Comparison {
    std::string_view sign;
    int below, above;  // distance of the range's end from the number; 0 for an open end
    bool upward;
  };
  constexpr std::array<Comparison, 4> kComparisons = {{{">=", 0, 0, true}, {"<=", 0, 0, false}, {">", 1, 0, true}, {"<", 0, 1, false}}};
  for (const Comparison& comparison : kComparisons) {
    if (!term.starts_with(comparison.sign)) continue;
    const auto number = status_of(trim_ows(term.substr(comparison.sign.size())));
    if (!number) return std::nullopt;
    return comparison.upward ? Range{*number + comparison.below, kHighest} : Range{kLowest, *number - comparison.above};
  }
  if (const auto one = status_of(term)) return Range{*one, *one};
  return std::nullopt;
}

}  // namespace

Result<StatusSet> StatusSet::parse(const std::vector<std::string>& terms, bool* network) {
  StatusSet set;
  if (network != nullptr) *network = false;
  bool first = true;
  for (const std::string& written : terms) {
    std::string_view term = trim_ows(written);
    if (network != nullptr && term == "network") {
      *network = true;
      continue;
    }
    const bool remove = term.starts_with('!');
    if (remove) term = trim_ows(term.substr(1));
    const auto range = range_of(term);
    if (!range) {
      return invalid("'" + printable(written, 60) + "' is no status; write for example 5xx, 404, 500..599, >=500 or !503" +
                     (network != nullptr ? ", or network" : ""));
    }
    // A list that begins with an exception means everything else.
    if (first && remove) set.bits_.assign(set.bits_.size(), true);
    first = false;
    for (int status = range->from; status <= range->to; ++status) set.bits_[static_cast<size_t>(status - kLowest)] = !remove;
  }
  return set;
}

}  // namespace belay::upstream
