#include "support/gateway.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <set>
#include <stdexcept>

namespace belay::test {

int free_port() {
  static std::set<int> given;  // the system would give one a second time before somebody listens
  int port = 0;
  do {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof at;
    const bool bound = bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0 && getsockname(fd, reinterpret_cast<sockaddr*>(&at), &length) == 0;
    close(fd);
    if (!bound) throw std::runtime_error("there is no free port");
    port = ntohs(at.sin_port);
  } while (!given.insert(port).second);
  return port;
}

Gateway::Gateway(const TempFolder& folder, GatewayOptions options)
    : folder_(folder.path()), command_(options.command), port_(free_port()), admin_port_(free_port()), expect_alerts_(options.expect_alerts) {
  const std::string listen = options.listen.empty() ? "    - " + address() + "\n    - unix:run/proxy.sock\n" : options.listen;
  folder.write("belay.yaml", "proxy:\n  listen:\n" + listen + options.proxy + "spool: " + options.spool + "\nadmin: { listen: \"127.0.0.1:" +
                                 std::to_string(admin_port_) + "\", token: " + options.admin_token + (options.admin.empty() ? "" : ", " + options.admin) + " }\nrules: [\"rules.d/*.yaml\"]\n" + options.main);
  folder.write("rules.d/test.yaml", options.rules);
  process_ = std::make_unique<Process>(
      std::vector<std::string>{belay_binary(), options.command, "-c", main_file(), "--state", state()}, folder / "gateway", options.environment);
  const bool ready = wait_for([&] { return !process_->running() || log().find("ready: ") != std::string::npos; });
  if (!ready || !process_->running()) throw std::runtime_error("the gateway did not start:\n" + log());
}

Gateway::~Gateway() {
  stop();
  const std::string text = log();
  INFO(text);
  if (!expect_alerts_) CHECK_EQ(text.find("ALERT"), std::string::npos);
  CHECK_EQ(text.find("Sanitizer"), std::string::npos);
  CHECK_EQ(text.find("runtime error:"), std::string::npos);
  CHECK_EQ(text.find("internal error"), std::string::npos);
}

void Gateway::stop() {
  if (!process_->running()) return;
  process_->signal(SIGTERM);
  const Exit exit = process_->wait(Milliseconds(20'000));
  INFO(log());
  CHECK_EQ(exit.signal, 0);
  CHECK_EQ(exit.code, 0);
}

void Gateway::write_rules(const std::string& rules) const {
  const std::string path = folder_ + "/rules.d/test.yaml";
  FILE* file = std::fopen((path + ".new").c_str(), "w");
  std::fputs(rules.c_str(), file);
  std::fclose(file);
  std::rename((path + ".new").c_str(), path.c_str());
}

namespace {

pid_t child_with(pid_t parent, const std::string& word) {
  for (const pid_t child : children_of(parent)) {
    if (command_line(child).find(word) != std::string::npos) return child;
  }
  return -1;
}

}  // namespace

pid_t Gateway::master() const { return command_ == "proxy" ? process_->pid() : child_with(process_->pid(), " proxy"); }
pid_t Gateway::spool() const { return child_with(process_->pid(), " spool"); }
std::vector<pid_t> Gateway::workers() const { return children_of(master()); }

Finished Gateway::belay(std::vector<std::string> command) const {
  command.insert(command.begin(), belay_binary());
  for (const std::string& word : {std::string("-c"), main_file(), std::string("--state"), state()}) command.push_back(word);
  return run(std::move(command));
}

}  // namespace belay::test
