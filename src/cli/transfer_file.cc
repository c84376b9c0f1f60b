#include "cli/transfer_file.h"

#include <fmt/format.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "base/crc32c.h"
#include "cli/human.h"
#include "cli/transfer_reader.h"

namespace belay::cli {

Result<TransferFile> TransferFile::open(const std::string& path) {
  FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) return invalid(fmt::format("{} cannot be read: {}", visible(path), strerror(errno)));
  TransferFile opened(file);
  struct stat status {};
  if (fstat(fileno(file), &status) != 0 || !S_ISREG(status.st_mode)) {
    return invalid(fmt::format("{} is no plain file; it is read twice, so save what comes through a pipe first", visible(path)));
  }
  opened.size_ = static_cast<uint64_t>(status.st_size);
  return opened;
}

Result<std::optional<std::string_view>> TransferFile::next() {
  char* text = text_.release();
  const ssize_t length = getline(&text, &room_, file_.get());
  text_.reset(text);
  if (length < 0) {
    if (std::ferror(file_.get()) != 0) return errno_error("the file cannot be read on");
    checksum_ = with_this_;
    return std::optional<std::string_view>();
  }
  ++number_;
  std::string_view line(text_.get(), static_cast<size_t>(length));
  if (line.size() > kMaxTransferLine) return invalid(fmt::format("line {}: longer than {}", number_, format_bytes(kMaxTransferLine)));
  done_ += line.size();
  checksum_ = with_this_;
  with_this_ = crc32c(line, with_this_);
  ended_ = line.ends_with('\n');
  if (ended_) line.remove_suffix(1);
  return std::optional(line);
}

Result<void> TransferFile::rewind() {
  if (std::fseek(file_.get(), 0, SEEK_SET) != 0) return errno_error("the file cannot be read again");
  number_ = done_ = 0;
  checksum_ = with_this_ = 0;
  ended_ = true;
  return {};
}

}  // namespace belay::cli
