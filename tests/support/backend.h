// The recording backend (backend_main.cc) as a test drives it: start, stop, kill, change its mode, read what it saw.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "support/process.h"

namespace belay::test {

inline constexpr int kOnKeptConnection = 999;  // in place of the status: the connection had an answer of the mode "keep" before

struct Seen {
  int status = 0;      // what it answered; 0: nothing or raw bytes
  std::string method, target, id, attempt, sha256, head, body;
  int64_t at_us = 0;   // monotonic clock
};

class Backend {
 public:
  explicit Backend(const TempFolder& folder, const std::string& name = "backend");
  void start();              // on the same port every time
  void stop();               // SIGKILL: the port refuses afterwards
  void mode(const std::string& mode) const;  // see backend_main.cc
  int port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::vector<Seen> seen() const;
  std::vector<std::string> delivered_ids() const;  // of what it answered 200, in the order of arrival: for very many
  size_t seen_count() const;
  std::string record_file() const { return base_ + ".record"; }  // lines as backend_main.cc describes

 private:
  std::string base_;
  int port_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace belay::test
