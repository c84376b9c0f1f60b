// Looks for one text in many others, as a search through a log does: whether it is there, not where. Most of the time is spent
// where it is not, so the search goes from one occurrence of the text's rarest byte to the next (memchr reads 32 bytes at once)
// and only there compares. Which byte is rare is learned from the first text it is given; when none is, memmem does the work.
// Any bytes; the empty text is in every other. One thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace belay {

class TextFinder {
 public:
  explicit TextFinder(std::string wanted) : wanted_(std::move(wanted)) {}
  bool in(std::string_view text);

 private:
  static constexpr size_t kSample = 16 << 10;  // bytes of the first text that are looked at
  static constexpr size_t kRare = 256;         // one of so many: at more, the calls of memchr cost more than they save
  void learn(std::string_view text);

  std::string wanted_;
  size_t rarest_ = 0;  // its place in wanted_
  bool learned_ = false, rare_ = false;
};

}  // namespace belay
