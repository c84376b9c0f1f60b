// What other users and a service manager see of a running gateway: its core dumps, its files and sockets, its readiness.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "support/gateway.h"
#include "support/skip.h"

using namespace belay::test;

namespace {

const std::string kRules = "sources: { a: { match: /a, trust: open, mode: spool, routes: [{ to: b }] } }\ndestinations: { b: { url: \"http://127.0.0.1:1\", headers: { set: { X-Key: "
                           "\"${env:PLANTED}\" } } } }\n";

mode_t mode_of(const std::string& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

std::vector<std::string> cores_in(const TempFolder& folder) {
  std::vector<std::string> cores;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    if (entry.path().filename().string().starts_with("core")) cores.push_back(entry.path().string());
  }
  return cores;
}

// Crashes every process of a gateway that may leave cores of any size in its working folder. The cores that came of it.
std::vector<std::string> crash_all(const TempFolder& folder, const std::string& main) {
  folder.write("belay.yaml", "proxy: { listen: [\"unix:run/proxy.sock\"], workers: 1 }\nspool: { size: 64MB }\nadmin: { listen: \"127.0.0.1:" + std::to_string(free_port()) + "\" }\n" + main);
  folder.write("rules.d/a.yaml", kRules);
  const std::string log = folder / "gateway";
  Process process({"sh", "-c", "ulimit -c unlimited; cd '" + folder.path() + "'; exec '" + std::filesystem::absolute(belay_binary()).string() + "' run -c belay.yaml --state ."}, log,
                  {{"PLANTED", "planted-in-memory"}});
  REQUIRE_MESSAGE(wait_for([&] { return process.err().find("ready: ") != std::string::npos; }), process.err());
  std::vector<pid_t> all = children_of(process.pid());
  REQUIRE_EQ(all.size(), 2);
  for (const pid_t half : std::vector<pid_t>(all)) {
    for (const pid_t worker : children_of(half)) all.push_back(worker);
  }
  CHECK_EQ(all.size(), 3);
  // The halves would be started again: the supervisor goes first.
  all.insert(all.begin(), process.pid());
  for (const pid_t pid : all) kill(pid, SIGSTOP);
  for (const pid_t pid : all) {
    kill(pid, SIGABRT);
    kill(pid, SIGCONT);
  }
  process.wait();
  CHECK(wait_for([&] {
    for (const pid_t pid : all) {
      if (kill(pid, 0) == 0 && !command_line(pid).empty()) return false;
    }
    return true;
  }));
  return cores_in(folder);
}

// Where a service manager listens.
class Manager {
 public:
  explicit Manager(std::string path) : path_(std::move(path)), fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE_LT(path_.size(), sizeof address.sun_path);
    std::memcpy(address.sun_path, path_.data(), path_.size());
    REQUIRE_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ~Manager() { close(fd_); }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  const std::string& path() const { return path_; }
  // Everything so far; messages end in line breaks.
  const std::string& heard() {
    char buffer[1024];
    for (ssize_t got = 0; (got = recv(fd_, buffer, sizeof buffer, 0)) > 0;) heard_.append(buffer, static_cast<size_t>(got)).push_back('\n');
    return heard_;
  }
  bool hears(const std::string& what) {
    return wait_for([&] { return heard().find(what) != std::string::npos; });
  }

 private:
  std::string path_;
  int fd_;
  std::string heard_;
};

}  // namespace

TEST_CASE("a_crash_leaves_no_core_dump_unless_log_core_dumps_allows_it") {
  const std::string pattern = read_text("/proc/sys/kernel/core_pattern");
  if (!pattern.starts_with("core")) return skip("/proc/sys/kernel/core_pattern sends core dumps elsewhere: " + pattern);
  {
    const TempFolder folder;
    const auto cores = crash_all(folder, "");
    CHECK_EQ(cores.size(), 0);
  }
  const TempFolder folder;
  const auto cores = crash_all(folder, "log: { core_dumps: true }\n");
  REQUIRE_FALSE(cores.empty());
  // Why there are none else.
  bool holds = false;
  for (const std::string& core : cores) holds = holds || read_text(core).find("planted-in-memory") != std::string::npos;
  CHECK(holds);
}

TEST_CASE("what_is_stored_and_logged_is_readable_by_its_owner_alone_and_sockets_follow_the_umask") {
  const TempFolder folder;
  const mode_t before = umask(0007);
  {
    Gateway gateway(folder, {.rules = kRules, .main = "log: { access: access.log }\n", .environment = {{"PLANTED", "x"}}});
    const auto answer = send_once(gateway.address(), request("POST", "/a", {}, "{}"));
    REQUIRE(answer.has_value());
    CHECK_EQ(answer->status, 202);
    const std::string state = gateway.state();
    CHECK_EQ(mode_of(state + "/var/spool"), 0700);
    for (const auto& entry : std::filesystem::directory_iterator(state + "/var/spool")) CHECK_EQ(mode_of(entry.path().string()), 0600);
    CHECK_EQ(mode_of(state + "/run"), 0770);
    CHECK_EQ(mode_of(state + "/run/spool.sock"), 0660);
    CHECK_EQ(mode_of(state + "/run/proxy.sock"), 0770);
    REQUIRE(wait_for([&] { return !read_text(state + "/access.log").empty() || !read_text(folder / "access.log").empty(); }));
    const std::string log = std::filesystem::exists(state + "/access.log") ? state + "/access.log" : folder / "access.log";
    CHECK_EQ(mode_of(log), 0640);
  }
  umask(before);
}

TEST_CASE("check_warns_of_secrets_that_everybody_on_the_machine_may_read") {
  const TempFolder folder;
  const std::string main = folder.write("belay.yaml", "admin: { token: \"${file:admin-token}\" }\n");
  const std::string rules = folder.write("rules.d/a.yaml",
                                         "sources: { a: { match: /a, auth: { bearer: literal }, routes: [{ to: b }] }, c: { match: /c, auth: { bearer: literal2 }, routes: [{ to: b }] } }\n"
                                         "destinations: { b: { url: \"http://127.0.0.1:1\" } }\n");
  const std::string token = folder.write("admin-token", "t\n");
  const auto check = [&] { return run({belay_binary(), "check", "-c", main}); };
  for (const std::string& path : {main, rules, token}) REQUIRE_EQ(chmod(path.c_str(), 0644), 0);
  const Finished open = check();
  CHECK_EQ(open.code, 0);
  CHECK_NE(open.err.find("everybody on this machine may read " + token), std::string::npos);
  const size_t first = open.err.find(rules + ": a secret is written in this file, and everybody on this machine may read it");
  CHECK_NE(first, std::string::npos);
  CHECK_EQ(open.err.find("a secret is written", first + rules.size() + 5), std::string::npos);  // once a file
  for (const std::string& path : {rules, token}) REQUIRE_EQ(chmod(path.c_str(), 0640), 0);
  const Finished closed = check();
  CHECK_EQ(closed.code, 0);
  CHECK_EQ(closed.err, "");
}

TEST_CASE("check_warns_where_the_address_that_is_signed_is_taken_from_the_request") {
  const TempFolder folder;
  const std::string main = folder.write("belay.yaml", "{}\n");
  const auto warns = [&](const std::string& match, const std::string& more) {
    folder.write("rules.d/a.yaml", "sources: { a: { match: " + match + ", secrets: { signing: \"${env:PLANTED}\" }, " + more +
                                       ", routes: [{ to: b }] } }\ndestinations: { b: { url: \"http://127.0.0.1:1\" } }\n");
    const Finished done = run({belay_binary(), "check", "-c", main}, Milliseconds(60'000), {{"PLANTED", "x"}});
    CHECK_MESSAGE(done.code == 0, done.err);
    return done.err.find("takes the host from the request") != std::string::npos;
  };
  CHECK(warns("/a", "preset: twilio"));
  CHECK_FALSE(warns("{ path: /a, host: hooks.example.com }", "preset: twilio"));
  CHECK_FALSE(warns("/a", "preset: twilio, params: { url: \"https://hooks.example.com/a\" }"));
  CHECK_FALSE(warns("/a", "preset: github"));
  const std::string rfc9421 = "verify: { algorithm: rfc9421, signature: { algorithm: hmac-sha256, components: [COVERED] } }";
  const auto covering = [&](const std::string& name) { return std::string(rfc9421).replace(rfc9421.find("COVERED"), 7, name); };
  CHECK(warns("/a", covering("\"@target-uri\", content-digest")));
  CHECK_FALSE(warns("/a", covering("content-digest")));
}

TEST_CASE("a_service_manager_hears_when_the_gateway_is_ready_reloads_in_vain_and_stops") {
  const TempFolder folder;
  for (const std::string& command : {std::string("run"), std::string("proxy")}) {
    CAPTURE(command);
    const TempFolder own;
    Manager manager(own / "notify");
    Gateway gateway(own, {.rules = kRules, .command = command, .environment = {{"NOTIFY_SOCKET", manager.path()}, {"PLANTED", "x"}}});
    REQUIRE(manager.hears("READY=1\nSTATUS=1 sources, generation 1\n"));
    gateway.write_rules("sources: {}\nnonsense: 1\n");
    gateway.reload();
    CHECK(manager.hears("STATUS=reload refused; the old rules stay"));
    gateway.write_rules(kRules);
    gateway.reload();
    CHECK(manager.hears("generation 2\n"));
    // The spool's own word would be too early.
    CHECK_EQ(manager.heard().find("ready on"), std::string::npos);
    gateway.stop();
    CHECK(manager.hears("STOPPING=1\n"));
  }
  Manager manager(folder / "notify");
  folder.write("belay.yaml", "spool: { size: 64MB }\nadmin: { listen: \"127.0.0.1:" + std::to_string(free_port()) + "\" }\n");
  folder.write("rules.d/a.yaml", kRules);
  Process spool({belay_binary(), "spool", "-c", folder / "belay.yaml", "--state", folder.path()}, folder / "spool", {{"NOTIFY_SOCKET", manager.path()}, {"PLANTED", "x"}});
  CHECK(manager.hears("READY=1\nSTATUS=ready on " + folder.path() + "/run/spool.sock\n"));
  spool.signal(SIGTERM);
  CHECK_EQ(spool.wait().code, 0);
  CHECK(manager.hears("STOPPING=1\n"));
}
