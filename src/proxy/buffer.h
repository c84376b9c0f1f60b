// Raw bytes that grow without being cleared first, for socket reads: a 10 MB body costs the pages it fills, no more. One owner.
#pragma once

#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace belay::proxy {

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t capacity) { reserve(capacity); }
  ~Buffer() { std::free(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  char* data() { return data_; }
  char* end() { return data_ + size_; }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  size_t room() const { return capacity_ - size_; }
  std::string_view view() const { return {data_, size_}; }

  // Grows; moves the bytes, so views into them die.
  void reserve(size_t capacity) {
    if (capacity <= capacity_) return;
    void* grown = std::realloc(data_, capacity);
    BELAY_CHECK_NOTE(grown != nullptr, "out of memory");
    data_ = static_cast<char*>(grown);
    capacity_ = capacity;
  }
  void added(size_t bytes) { size_ += bytes; }
  void truncate(size_t size) { size_ = size; }
  void append(std::string_view bytes) {
    reserve(size_ + bytes.size());
    if (!bytes.empty()) std::memcpy(end(), bytes.data(), bytes.size());
    size_ += bytes.size();
  }
  // Drops the first `bytes`; what is left moves to the front.
  void consume(size_t bytes) {
    if (bytes < size_) std::memmove(data_, data_ + bytes, size_ - bytes);
    size_ -= bytes;
  }
  void swap(Buffer& other) {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }
  void release() {
    std::free(data_);
    data_ = nullptr;
    size_ = capacity_ = 0;
  }

 private:
  char* data_ = nullptr;
  size_t size_ = 0, capacity_ = 0;
};

}  // namespace belay::proxy
