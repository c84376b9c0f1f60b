// Memory of one evaluation context: bump allocation, freed at once, with a hard limit. Values made by expressions live here
// and die with it, so they need no reference counts. Owner: a Context (one request). One thread. No memory is taken before
// the first allocation. Limit: kDefaultLimit bytes over the arena's life; past it allocations give null and the evaluation
// ends with an error.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "json/document.h"

namespace belay::rules {

class Arena {
 public:
  static constexpr size_t kDefaultLimit = size_t{32} << 20;
  static constexpr size_t kFirstChunk = size_t{2} << 10;

  explicit Arena(size_t limit = kDefaultLimit, size_t first_chunk = kFirstChunk) : limit_(limit), first_chunk_(first_chunk) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  // Aligned for any object; null past the limit.
  void* allocate(size_t bytes) {
    const size_t rounded = bytes == 0 ? 16 : (bytes + 15) & ~size_t{15};  // nothing has an address too: null means full
    if (rounded > static_cast<size_t>(end_ - at_)) return allocate_slowly(rounded);
    void* result = at_;
    at_ += rounded;
    return result;
  }
  // Uninitialised; null past the limit.
  template <typename T>
  T* array(size_t count) {
    static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= 16);
    if (count > limit_ / sizeof(T)) return nullptr;
    return static_cast<T*>(allocate(count * sizeof(T)));
  }
  // Keeps a parsed document alive as long as the arena. Null when its memory would pass the limit.
  const json::Document* keep(std::unique_ptr<const json::Document> document);

  size_t used() const { return used_; }
  size_t limit() const { return limit_; }

 private:
  void* allocate_slowly(size_t bytes);

  char* at_ = nullptr;
  char* end_ = nullptr;
  size_t used_ = 0;  // bytes taken from the system
  size_t limit_;
  size_t first_chunk_;
  std::vector<std::unique_ptr<char[]>> chunks_;
  std::vector<std::unique_ptr<const json::Document>> documents_;
};

}  // namespace belay::rules
