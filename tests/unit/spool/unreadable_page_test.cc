#include "spool/unreadable_page.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>

#include "base/log.h"

namespace belay::spool {

namespace {

constexpr size_t kPage = 4096;

struct Ended {
  int status = 0;
  std::string log;
};

// What becomes of a process that maps a file of that name and reads a page that the file has lost.
Ended touch_a_missing_page(const std::string& name) {
  char folder[] = "/tmp/belay-page-XXXXXX";
  REQUIRE(mkdtemp(folder) != nullptr);
  const std::string path = std::string(folder) + "/" + name;
  int log_ends[2];
  REQUIRE_EQ(pipe(log_ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(log_ends[1], STDERR_FILENO);
    log::init("spool", log::Level::info);
    end_at_unreadable_pages(3, 4);
    const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (ftruncate(file, 4 * kPage) != 0) _exit(90);
    const auto* map = static_cast<const volatile char*>(mmap(nullptr, 4 * kPage, PROT_READ, MAP_SHARED, file, 0));
    if (map == MAP_FAILED || ftruncate(file, 2 * kPage) != 0) _exit(91);
    if (map[2 * kPage - 1] != 0) _exit(92);
    _exit(map[2 * kPage + 7] == 0 ? 93 : 94);
  }
  close(log_ends[1]);
  Ended ended;
  char bytes[512];
  for (ssize_t got = read(log_ends[0], bytes, sizeof bytes); got > 0; got = read(log_ends[0], bytes, sizeof bytes)) ended.log.append(bytes, static_cast<size_t>(got));
  close(log_ends[0]);
  REQUIRE_EQ(waitpid(child, &ended.status, 0), child);
  unlink(path.c_str());
  rmdir(folder);
  return ended;
}

TEST_CASE("a_page_that_the_stores_file_has_lost_ends_the_process_with_one_line_that_names_the_byte") {
  const Ended ended = touch_a_missing_page("data.mdb");
  REQUIRE(WIFEXITED(ended.status));
  CHECK_EQ(WEXITSTATUS(ended.status), 4);
  CHECK_NE(ended.log.find("ALERT spool ends: store: data.mdb is damaged: it ends before byte 8199, which is in use\n"), std::string::npos);
  CHECK_EQ(ended.log.find('\n'), ended.log.size() - 1);
}

TEST_CASE("a_page_of_another_file_is_none_of_the_stores_faults") {
  const Ended ended = touch_a_missing_page("other");
  REQUIRE(WIFSIGNALED(ended.status));
  CHECK_EQ(WTERMSIG(ended.status), SIGBUS);
  CHECK_EQ(ended.log, "");
}

}  // namespace

}  // namespace belay::spool
