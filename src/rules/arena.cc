#include "rules/arena.h"

#include <algorithm>

namespace belay::rules {

namespace {
constexpr size_t kLargestChunk = size_t{256} << 10;
}  // namespace

Arena::~Arena() = default;

void* Arena::allocate_slowly(size_t bytes) {
  if (bytes > limit_ - used_) return nullptr;
  // Chunks double, so that a long evaluation needs few and a short one little.
  const size_t doubled = std::min(first_chunk_ << std::min<size_t>(chunks_.size(), 16), kLargestChunk);
  const size_t size = std::max(bytes, std::min(doubled, limit_ - used_));
  chunks_.push_back(std::make_unique_for_overwrite<char[]>(size));
  used_ += size;
  char* const chunk = chunks_.back().get();
  // A large block of its own must not end the chunk that still has room.
  if (size - bytes < static_cast<size_t>(end_ - at_)) return chunk;
  at_ = chunk + bytes;
  end_ = chunk + size;
  return chunk;
}

const json::Document* Arena::keep(std::unique_ptr<const json::Document> document) {
  const size_t bytes = document->footprint();
  if (bytes > limit_ - used_) return nullptr;
  used_ += bytes;
  documents_.push_back(std::move(document));
  return documents_.back().get();
}

}  // namespace belay::rules
