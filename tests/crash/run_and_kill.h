// A program that talks until it is killed: what the crash tests are made of. It ends by SIGKILL, ours or one that strace
// injected.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "support/skip.h"

namespace belay::crash {

// Runs the command and hears what it says, until it ends or has said `lines`, then kills it with all its children.
inline void run_and_kill(std::vector<std::string> command, size_t lines, const std::function<void(const std::string&)>& hear) {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);
    dup2(ends[1], STDOUT_FILENO);
    std::vector<char*> arguments;
    for (std::string& argument : command) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  setpgid(child, child);
  close(ends[1]);
  size_t heard = 0;
  bool killed = false;
  std::string buffer;
  char bytes[4096];
  while (true) {
    pollfd readable{ends[0], POLLIN, 0};
    REQUIRE(poll(&readable, 1, 60'000) == 1);  // the writer never pauses
    const ssize_t got = read(ends[0], bytes, sizeof bytes);
    if (got <= 0) break;
    buffer.append(bytes, static_cast<size_t>(got));
    for (size_t end = buffer.find('\n'); end != std::string::npos; end = buffer.find('\n')) {
      hear(buffer.substr(0, end));
      ++heard;
      buffer.erase(0, end + 1);
    }
    if (!killed && heard >= lines) {
      kill(-child, SIGKILL);
      killed = true;
    }
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  const bool by_signal = WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGKILL);
  CHECK(by_signal);
}

// Runs the writer on the folder again and again, killed by strace at the Nth of each call by which LMDB writes; `check` after
// each kind of call. A call that comes less often than that is killed by count instead.
inline void kill_between_writes(const std::string& writer, const std::string& folder, size_t lines, const std::function<void(const std::string&)>& hear,
                                const std::function<void()>& check) {
  if (system("strace -f -o /dev/null true 2>/dev/null") != 0) return belay::test::skip("strace cannot trace here");
  for (const std::string call : {"pwrite64", "fdatasync", "writev"}) {
    for (const int when : {1, 2, 3, 5, 8, 13, 21, 34, 55}) {
      run_and_kill({"strace", "-f", "-o", "/dev/null", "-e", "trace=" + call, "-e", "inject=" + call + ":signal=KILL:when=" + std::to_string(when), writer, folder},
                   lines, hear);
    }
    check();
  }
}

}  // namespace belay::crash
