#include "base/masked_url.h"

#include <algorithm>
#include <cstddef>

namespace belay {

namespace {

constexpr std::string_view kMask = "***";

bool begins_like_url(std::string_view text) {
  const size_t colon = text.find(':');
  return colon != std::string_view::npos && colon > 0 && (text.substr(colon).starts_with("://") || text.starts_with("unix:")) &&
         std::all_of(text.begin(), text.begin() + static_cast<ptrdiff_t>(colon), [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); });
}

}  // namespace

std::string masked_url(std::string_view text) {
  std::string out(text);
  const size_t mark = out.find('?');
  if (begins_like_url(text) && mark != std::string::npos && mark + 1 < out.size()) out.replace(mark + 1, std::string::npos, kMask);
  const size_t scheme = out.find("://");
  if (scheme == std::string::npos) return out;
  // A password may hold what ends an authority: such a URL is refused, but its refusal is shown.
  const size_t begin = scheme + 3;
  const size_t at = out.rfind('@', std::min(out.find('?'), out.size()));
  if (at != std::string::npos && at >= begin) out.replace(begin, at - begin, kMask);
  return out;
}

}  // namespace belay
