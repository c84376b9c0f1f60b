#include <algorithm>
#include <vector>

#include "base/bytes.h"
#include "conf/section.h"

namespace belay::conf {

namespace {

constexpr size_t kMaxWord = 64;  // longer words are nobody's typing slip

// Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours count one each.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

// '-', '_' and case are what people mix up first.
std::string plain(std::string_view word) {
  std::string out = ascii_lower(word);
  std::replace(out.begin(), out.end(), '-', '_');
  return out;
}

}  // namespace

std::string nearest(std::string_view word, std::span<const std::string_view> known) {
  if (word.empty() || word.size() > kMaxWord) return {};
  const std::string wanted = plain(word);
  std::string_view best;
  size_t best_distance = wanted.size() <= 3 ? 2 : wanted.size() <= 6 ? 3 : 4;  // a nearer one is asked for
  for (const std::string_view candidate : known) {
    if (candidate.empty() || candidate.size() > kMaxWord) continue;
    const size_t d = distance(wanted, plain(candidate));
    if (d < best_distance && d < candidate.size()) {
      best = candidate;
      best_distance = d;
    }
  }
  return std::string(best);
}

}  // namespace belay::conf
