// A running `belay run` in a folder of its own, with rules that the test writes. When it goes out of scope it is stopped with
// SIGTERM and the test fails if the log holds an alert, a sanitizer spoke, or it did not end in time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "support/process.h"
#include "support/sender.h"

namespace belay::test {

struct GatewayOptions {
  std::string rules;          // content of rules.d/test.yaml
  std::string proxy = {};     // further lines under proxy: ("  workers: 2\n")
  std::string listen = {};    // list items instead of the default 127.0.0.1:PORT and unix socket
  std::string spool = "{ size: 1GB }";
  std::string main = {};      // further top-level sections of belay.yaml
  std::string admin_token = "test-token";
  std::string admin = {};     // further settings of admin, as in a flow mapping ("tokens: { … }")
  std::string command = "run";
  std::vector<std::pair<std::string, std::string>> environment = {};
  bool expect_alerts = false; // for tests that break the disk on purpose
};

class Gateway {
 public:
  Gateway(const TempFolder& folder, GatewayOptions options);
  ~Gateway();

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string unix_address() const { return "unix:" + folder_ + "/state/run/proxy.sock"; }
  std::string admin() const { return "http://127.0.0.1:" + std::to_string(admin_port_); }
  std::string main_file() const { return folder_ + "/belay.yaml"; }
  std::string state() const { return folder_ + "/state"; }
  std::string log() const { return process_->err(); }
  std::string access_log() const { return process_->out(); }
  Process& process() { return *process_; }

  void write_rules(const std::string& rules) const;
  void reload() const { process_->signal(1); }
  // pids by role, from the process titles/commands of the children.
  std::vector<pid_t> workers() const;
  pid_t spool() const;
  pid_t master() const;
  // `belay COMMAND … -c main_file --state state`.
  Finished belay(std::vector<std::string> command) const;
  // SIGTERM and wait; checks the exit code. Done by the destructor too.
  void stop();

 private:
  std::string folder_, command_;
  int port_ = 0, admin_port_ = 0;
  bool expect_alerts_ = false;
  std::unique_ptr<Process> process_;
};

int free_port();

}  // namespace belay::test
