#include "spool/unreadable_page.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "base/check.h"
#include "base/log.h"

namespace belay::spool {

namespace {

constexpr std::string_view kStoreFile = "/data.mdb";

int exit_io = 1, exit_damaged = 1;

// One mapping of /proc/self/maps: "begin-end rights offset device inode path".
struct Mapping {
  uint64_t begin = 0, end = 0, offset = 0;
  const char* path = nullptr;  // ends with the line
};

// Ends each number at the character behind it.
bool parse(char* line, Mapping& mapping) {
  char* at = line;
  mapping.begin = std::strtoull(at, &at, 16);
  if (*at != '-') return false;
  mapping.end = std::strtoull(at + 1, &at, 16);
  if (std::strlen(at) < sizeof " r-xp ") return false;
  mapping.offset = std::strtoull(at + std::strlen(" r-xp "), &at, 16);
  mapping.path = std::strchr(at, '/');
  return mapping.path != nullptr;
}

// The mapping of the store's file that holds the address. Takes no memory: it runs in a signal handler.
bool find_mapping(uint64_t address, char* buffer, size_t size, Mapping& found) {
  const int file = ::open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  size_t filled = 0;
  bool is_found = false;
  while (!is_found) {
    const ssize_t got = ::read(file, buffer + filled, size - 1 - filled);
    if (got <= 0) break;
    filled += static_cast<size_t>(got);
    buffer[filled] = '\0';
    char* line = buffer;
    for (char* end = std::strchr(line, '\n'); end != nullptr && !is_found; end = std::strchr(line, '\n')) {
      *end = '\0';
      is_found = parse(line, found) && address >= found.begin && address < found.end && std::string_view(found.path).ends_with(kStoreFile);
      line = end + 1;
    }
    if (is_found) break;
    filled -= static_cast<size_t>(line - buffer);
    std::memmove(buffer, line, filled);
  }
  ::close(file);
  return is_found;
}

// RULE: log::alert() in a signal handler, because this signal comes from a read of the map in this very thread, and no one reads
// the map while they hold a lock of the log or of the allocator.
void on_bad_page(int /*number*/, siginfo_t* info, void* /*context*/) {
  const auto address = reinterpret_cast<uint64_t>(info->si_addr);
  char buffer[8'192];
  Mapping mapping;
  if (!find_mapping(address, buffer, sizeof buffer, mapping)) {
    std::signal(SIGBUS, SIG_DFL);  // the access comes again and ends the process
    return;
  }
  struct stat status {};
  const uint64_t at = mapping.offset + (address - mapping.begin);
  const bool missing = ::stat(mapping.path, &status) == 0 && at >= static_cast<uint64_t>(status.st_size);
  if (missing) log::alert("spool ends: store: data.mdb is damaged: it ends before byte {}, which is in use", at);
  else log::alert("spool ends: store: the disk cannot read byte {} of data.mdb", at);
  std::_Exit(missing ? exit_damaged : exit_io);
}

}  // namespace

void end_at_unreadable_pages(int io, int damaged) {
  exit_io = io;
  exit_damaged = damaged;
  struct sigaction action {};
  action.sa_sigaction = on_bad_page;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  BELAY_CHECK(::sigaction(SIGBUS, &action, nullptr) == 0);
}

}  // namespace belay::spool
