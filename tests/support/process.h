// Real child processes for end-to-end tests: the belay binary, backends, other servers. A Process is killed (SIGKILL) and
// reaped when it goes out of scope; output goes to files that the test can read at any time. One thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace belay::test {

using Milliseconds = std::chrono::milliseconds;

// Waits for a condition, polling every 5 ms; false when the limit passes first. Tests wait with this, never with a bare sleep.
bool wait_for(const std::function<bool()>& condition, Milliseconds limit = Milliseconds(10'000));

class TempFolder {
 public:
  TempFolder();
  ~TempFolder();  // removes it and everything below
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  // Writes a file below, making its folders; returns its path.
  std::string write(const std::string& name, const std::string& content) const;

 private:
  std::string path_;
};

std::string read_text(const std::string& path);  // empty when it cannot be read

struct Exit {
  bool exited = false;  // by itself, with `code`
  int code = -1;
  int signal = 0;       // or by this signal
};

class Process {
 public:
  // Starts at once. `output` is the base name of OUTPUT.out and OUTPUT.err; both are appended to.
  Process(std::vector<std::string> command, std::string output, std::vector<std::pair<std::string, std::string>> environment = {});
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool running();
  void signal(int number) const;
  Exit wait(Milliseconds limit = Milliseconds(15'000));  // SIGKILL when the limit passes
  std::string out() const { return read_text(output_ + ".out"); }
  std::string err() const { return read_text(output_ + ".err"); }

 private:
  pid_t pid_ = -1;
  std::string output_;
  Exit exit_;
};

// Runs to its end: exit code, standard output, standard error.
struct Finished {
  int code = -1;
  std::string out, err;
};
Finished run(std::vector<std::string> command, Milliseconds limit = Milliseconds(60'000),
             std::vector<std::pair<std::string, std::string>> environment = {});

// Children of a process, from /proc: to kill a worker or the spool by pid.
std::vector<pid_t> children_of(pid_t parent);
std::string command_line(pid_t pid);
size_t open_descriptors(pid_t pid);

std::string belay_binary();   // $BELAY_BINARY, given by the build
std::string source_folder();  // $BELAY_SOURCE

}  // namespace belay::test
