// A backend as a process of its own: records every request it reads, raw, and answers as its mode file says, so that a test
// can stop it, kill it, or make it fail in the middle of a run. It takes requests apart naively (first empty line, then
// Content-Length bytes): whatever Belay lets through that is not exactly one request shows up here as another one.
//
//   backend --port N --port-file FILE --record FILE --mode-file FILE
//
// A record line: status TAB method TAB target TAB webhook-id TAB attempt TAB sha256-of-body TAB hex(head) TAB hex(body up to 64 KB) TAB microseconds
// of the monotonic clock, which is the same for all processes
// Modes: ok | status N | hang | reset | close | drip MS | slow MS | raw FILE (answers with these bytes and closes) |
// keep FILE (answers with these bytes and leaves the connection open; whatever comes on it after that is recorded with kOnKeptConnection)
// A mode may end in "xN": it holds for N requests, then ok.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "support/backend.h"
#include "support/process.h"
#include "support/sender.h"

namespace {

using belay::ascii_iequals;
using Clock = std::chrono::steady_clock;

struct Options {
  int port = 0;
  std::string port_file, record, mode_file;
};

struct Peer {
  std::string in;
  std::string out;
  size_t sent = 0;
  std::chrono::milliseconds drip{0};  // > 0: one byte per this long
  Clock::time_point next_byte{};
  bool hang = false;
  bool close_after = false;
  bool kept = false;   // it had a "keep" answer
};

int64_t now_us() { return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch()).count(); }

std::string field_of(const std::string& head, std::string_view name) {
  belay::test::Answer as_answer;
  as_answer.head = head;
  return as_answer.field(name);
}

class Backend {
 public:
  explicit Backend(const Options& options) : options_(options) {
    record_ = open(options.record.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    listen_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1;
    setsockopt(listen_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(static_cast<uint16_t>(options.port));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof at;
    if (bind(listen_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 || listen(listen_, 1024) != 0) {
      std::perror("backend: listen");
      std::exit(1);
    }
    getsockname(listen_, reinterpret_cast<sockaddr*>(&at), &length);
    const std::string temporary = options.port_file + ".new";
    FILE* file = std::fopen(temporary.c_str(), "w");
    std::fprintf(file, "%d", ntohs(at.sin_port));
    std::fclose(file);
    std::rename(temporary.c_str(), options.port_file.c_str());
  }

  [[noreturn]] void run() {
    for (;;) turn();
  }

 private:
  void turn() {
    std::vector<pollfd> waiting{{listen_, POLLIN, 0}};
    for (const auto& [fd, peer] : peers_) {
      const bool can_write = peer.sent < peer.out.size() && peer.drip.count() == 0;
      waiting.push_back({fd, static_cast<short>(POLLIN | (can_write ? POLLOUT : 0)), 0});
    }
    poll(waiting.data(), waiting.size(), 20);
    if ((waiting[0].revents & POLLIN) != 0) {
      for (int fd = -1; (fd = accept4(listen_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        const int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        peers_[fd];
      }
    }
    for (size_t i = 1; i < waiting.size(); ++i) {
      if ((waiting[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0) readable(waiting[i].fd);
    }
    std::vector<int> fds;
    for (const auto& [fd, peer] : peers_) fds.push_back(fd);
    for (const int fd : fds) write_some(fd);
  }

  void drop(int fd, bool reset = false) {
    if (reset) {
      const linger now{1, 0};
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    close(fd);
    peers_.erase(fd);
  }

  void readable(int fd) {
    Peer& peer = peers_[fd];
    std::array<char, 65536> chunk;
    const ssize_t got = recv(fd, chunk.data(), chunk.size(), 0);
    if (got <= 0) {
      if (got == 0 || errno != EAGAIN) drop(fd);
      return;
    }
    peer.in.append(chunk.data(), static_cast<size_t>(got));
    while (peers_.contains(fd) && one_request(fd, peer)) {
    }
  }

  bool one_request(int fd, Peer& peer) {
    const size_t end = peer.in.find("\r\n\r\n");
    if (end == std::string::npos || peer.hang) return false;
    const std::string head = peer.in.substr(0, end + 2);
    const std::string length = field_of(head, "Content-Length");
    const size_t body = length.empty() ? 0 : std::strtoul(length.c_str(), nullptr, 10);
    if (peer.in.size() < end + 4 + body) return false;
    const std::string content = peer.in.substr(end + 4, body);
    peer.in.erase(0, end + 4 + body);
    answer(fd, peer, head, content);
    return true;
  }

  std::string mode() {
    std::string text = belay::test::read_text(options_.mode_file);
    while (!text.empty() && text.back() == '\n') text.pop_back();
    if (text != mode_text_) {
      mode_text_ = text;
      mode_used_ = 0;
    }
    const size_t times = text.rfind(" x");
    if (times != std::string::npos) {
      if (mode_used_ >= std::atoi(text.c_str() + times + 2)) return "ok";
      ++mode_used_;
      return text.substr(0, times);
    }
    return text.empty() ? "ok" : text;
  }

  void answer(int fd, Peer& peer, const std::string& head, const std::string& body) {
    std::istringstream mode_words(mode());
    std::string word, value;
    mode_words >> word >> value;
    const int status = word == "ok" || word == "drip" || word == "slow" ? 200 : word == "status" ? std::atoi(value.c_str()) : 0;
    record(peer.kept ? belay::test::kOnKeptConnection : status, head, body);
    if (word == "hang") {
      peer.hang = true;
    } else if (word == "reset") {
      drop(fd, true);
    } else if (word == "close") {
      drop(fd);
    } else if (word == "raw" || word == "keep") {
      peer.out += belay::test::read_text(value);
      peer.close_after = word == "raw";
      peer.kept = word == "keep";
    } else {
      const std::string text = "{\"ok\":" + std::string(status / 100 == 2 ? "true" : "false") + "}";
      peer.out += "HTTP/1.1 " + std::to_string(status) + " Backend\r\nContent-Type: application/json\r\nX-Backend: yes\r\n" +
                  "Content-Length: " + std::to_string(text.size()) + "\r\n\r\n" + (head.starts_with("HEAD ") ? "" : text);
      if (word == "drip" || word == "slow") {
        peer.drip = std::chrono::milliseconds(std::atoi(value.c_str()));
        peer.next_byte = Clock::now() + peer.drip;
        if (word == "slow") slow_.push_back(fd);
      }
    }
  }

  void write_some(int fd) {
    const auto found = peers_.find(fd);
    if (found == peers_.end()) return;
    Peer& peer = found->second;
    if (peer.sent >= peer.out.size()) return;
    size_t most = peer.out.size() - peer.sent;
    if (peer.drip.count() > 0) {
      if (Clock::now() < peer.next_byte) return;
      const bool slow = std::erase(slow_, fd) > 0;
      if (slow) peer.drip = std::chrono::milliseconds(0);
      if (!slow) most = 1;
      peer.next_byte = Clock::now() + peer.drip;
    }
    const ssize_t wrote = send(fd, peer.out.data() + peer.sent, most, MSG_NOSIGNAL);
    if (wrote > 0) peer.sent += static_cast<size_t>(wrote);
    if (wrote < 0 && errno != EAGAIN) return drop(fd);
    if (peer.sent < peer.out.size()) return;
    peer.out.clear();
    peer.sent = 0;
    peer.drip = std::chrono::milliseconds(0);
    if (peer.close_after) drop(fd);
  }

  void record(int status, const std::string& head, const std::string& body) {
    std::istringstream first(head);
    std::string method, target;
    first >> method >> target;
    std::string line = std::to_string(status) + "\t" + method + "\t" + target + "\t" + field_of(head, "webhook-id") + "\t" +
                       field_of(head, "webhook-attempt") + "\t" + belay::test::sha256_hex(body) + "\t" + belay::hex_encode(head) + "\t" +
                       belay::hex_encode(std::string_view(body).substr(0, 65536)) + "\t" + std::to_string(now_us()) + "\n";
    if (write(record_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::perror("backend: record");
  }

  Options options_;
  int record_ = -1, listen_ = -1, mode_used_ = 0;
  std::string mode_text_;
  std::map<int, Peer> peers_;
  std::vector<int> slow_;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const std::string value = argv[i + 1];
    if (name == "--port") options.port = std::atoi(value.c_str());
    if (name == "--port-file") options.port_file = value;
    if (name == "--record") options.record = value;
    if (name == "--mode-file") options.mode_file = value;
  }
  Backend(options).run();
}
