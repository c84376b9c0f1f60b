#include "modules/log/log.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string>
#include <utility>

#include "base/log.h"
#include "base/result.h"
#include "modules/reply.h"

namespace belay::modules {

LineWriter::~LineWriter() {
  flush();
  if (fd_ > STDERR_FILENO) close(fd_);
}

// Standard output belongs to others, too: it is opened anew, so that not waiting for its reader is ours alone.
bool LineWriter::open() {
  if (fd_ >= 0) return true;
  if (target_ == "stdout" || target_ == "stderr") {
    fd_ = target_ == "stdout" ? STDOUT_FILENO : STDERR_FILENO;
    look_at(fd_);
    if (kind_ != Kind::stream) return true;
    const int own = ::open(("/proc/self/fd/" + std::to_string(fd_)).c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (own >= 0) fd_ = own;  // not with a pipe that another user made
    return true;
  }
  fd_ = ::open(target_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
  if (fd_ < 0) complain(errno_error("access log " + target_).message);
  else look_at(fd_);
  return fd_ >= 0;
}

void LineWriter::look_at(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0 || S_ISREG(status.st_mode)) kind_ = Kind::file;
  else kind_ = S_ISSOCK(status.st_mode) ? Kind::socket : Kind::stream;
}

// -1 with EAGAIN when the reader does not keep up. Of lines for a reader only as many at once as a pipe takes whole.
ssize_t LineWriter::write_some(const char* bytes, size_t size) const {
  if (kind_ == Kind::file) return ::write(fd_, bytes, size);
  if (size > PIPE_BUF) {
    const size_t end = std::string_view(bytes, PIPE_BUF).rfind('\n');
    size = end == std::string_view::npos ? PIPE_BUF : end + 1;
  }
  if (kind_ == Kind::socket) return ::send(fd_, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  pollfd room{.fd = fd_, .events = POLLOUT, .revents = 0};
  if (poll(&room, 1, 0) == 0) {
    errno = EAGAIN;
    return -1;
  }
  return ::write(fd_, bytes, size);
}

void LineWriter::complain(const std::string& what) {
  if (!complained_) log::alert("{}: access lines are lost until it can be written", what);
  complained_ = true;
}

void LineWriter::end_line() {
  if (buffer_.size() > kMaxBuffer) {
    buffer_.resize(line_begin_);
    ++dropped_;
  }
  line_begin_ = buffer_.size();
  if (buffer_.size() >= kFlushAt) flush();
}

void LineWriter::flush() {
  if (buffer_.empty() || !open()) return;
  size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t wrote = write_some(buffer_.data() + done, buffer_.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) {
      // A full pipe is tried again with the next turn; everything else is worth a person's look.
      if (errno != EAGAIN && errno != EWOULDBLOCK) complain(errno_error("access log " + target_).message);
      break;
    }
    complained_ = false;
    done += static_cast<size_t>(wrote);
  }
  buffer_.erase(0, done);
  line_begin_ = buffer_.size();
  if (buffer_.empty() && dropped_ > told_dropped_) {
    log::warn("access log {}: {} lines were lost, it did not take them", target_, dropped_ - std::exchange(told_dropped_, dropped_));
  }
}

namespace {

class Log final : public pipeline::Handler {
 public:
  explicit Log(const std::string& target) : lines_(target) {}

  pipeline::Verdict handle(pipeline::Exchange& exchange) const override {
    if (!lines_.off()) {
      append_access_line(lines_.buffer(), exchange, clock_);
      lines_.end_line();
    }
    // What is stored came with its own line (wire::Put).
    if (exchange.services.spool != nullptr && exchange.outcome != wire::Outcome::spooled && !exchange.line_kept) record(exchange);
    return pipeline::Verdict::next;
  }

  void turn_end() const override { lines_.flush(); }

 private:
  // The keys of a webhook are taken when its backend said 2xx, with the line that says so.
  void record(pipeline::Exchange& exchange) const {
    const bool taken = exchange.outcome == wire::Outcome::forwarded && exchange.reply.status >= 200 && exchange.reply.status < 300;
    fill(event_, exchange);
    exchange.services.spool->record(event_, taken ? exchange.claims() : std::vector<wire::Claim>());
    if (taken) exchange.claim_hold.confirmed();
  }

  // A worker's own: one thread.
  mutable LineWriter lines_;
  mutable LineClock clock_;
  mutable wire::Event event_;
};

std::unique_ptr<pipeline::Handler> build(const conf::Node&, pipeline::BuildContext& context) {
  const std::string& access = context.configuration.log.access;
  return std::make_unique<Log>(access.empty() ? "stdout" : access);
}

}  // namespace

const pipeline::Module kLog = {
    .key = "log",
    .stage = pipeline::Stage::on_body,
    .scope = pipeline::Scope::gateway,
    .help = "one line for every request, and the books",
    .build = build,
};

}  // namespace belay::modules
