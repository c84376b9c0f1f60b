#include "base/text_finder.h"

#include <string.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace belay {

bool TextFinder::in(std::string_view text) {
  if (text.size() < wanted_.size()) return false;
  if (!learned_) learn(text);
  if (!rare_) return memmem(text.data(), text.size(), wanted_.data(), wanted_.size()) != nullptr;
  const char* const end = text.data() + text.size() - (wanted_.size() - 1 - rarest_);  // behind the last place of the rare byte
  for (const char* at = text.data() + rarest_; at < end; ++at) {
    at = static_cast<const char*>(memchr(at, wanted_[rarest_], static_cast<size_t>(end - at)));
    if (at == nullptr) return false;
    if (memcmp(at - rarest_, wanted_.data(), wanted_.size()) == 0) return true;
  }
  return false;
}

void TextFinder::learn(std::string_view text) {
  learned_ = true;
  if (wanted_.empty()) return;
  const std::string_view sample = text.substr(0, kSample);
  std::array<size_t, 256> counts{};
  for (const char byte : sample) ++counts[static_cast<uint8_t>(byte)];
  const auto rarer = [&](char a, char b) { return counts[static_cast<uint8_t>(a)] < counts[static_cast<uint8_t>(b)]; };
  const auto rarest = std::min_element(wanted_.begin(), wanted_.end(), rarer);
  rarest_ = static_cast<size_t>(rarest - wanted_.begin());
  rare_ = counts[static_cast<uint8_t>(*rarest)] * kRare <= sample.size();
}

}  // namespace belay
