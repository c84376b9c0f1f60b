// An export's file, line by line, with what its trailer is compared with. Limit: a line of kMaxTransferLine. One thread.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace belay::cli {

class TransferFile {
 public:
  static Result<TransferFile> open(const std::string& path);

  // The next line without its end; nothing at the end of the file. Valid until the next call.
  Result<std::optional<std::string_view>> next();
  uint64_t number() const { return number_; }      // of that line, from 1
  uint32_t checksum() const { return checksum_; }  // CRC32C of all lines before it, with their ends
  bool ended() const { return ended_; }            // that line had an end: the last one of a file that was cut off has none
  uint64_t size() const { return size_; }
  uint64_t done() const { return done_; }          // bytes
  Result<void> rewind();

 private:
  struct Close {
    void operator()(FILE* file) const { std::fclose(file); }
  };
  struct Free {
    void operator()(char* text) const { std::free(text); }
  };
  explicit TransferFile(FILE* file) : file_(file) {}
  std::unique_ptr<FILE, Close> file_;
  std::unique_ptr<char, Free> text_;
  size_t room_ = 0;
  uint64_t number_ = 0, size_ = 0, done_ = 0;
  uint32_t checksum_ = 0, with_this_ = 0;
  bool ended_ = true;
};

}  // namespace belay::cli
