// AdminClient::tail: one connection that stays open, read as it comes.
#include <fmt/format.h>

#include <optional>

#include "base/bytes.h"
#include "cli/admin_client.h"
#include "cli/json_view.h"
#include "event/stream.h"
#include "http/parser.h"
#include "http/writer.h"

namespace belay::cli {

namespace {

constexpr Duration kSilence{60'000};  // the API says something every 15 s
constexpr size_t kRead = size_t{64} << 10;
constexpr size_t kMaxRefusal = size_t{64} << 10;  // of an answer that is no stream

class Tail final : public event::StreamHandler {
 public:
  Tail(event::Loop& loop, const upstream::Destination& base, const event::SocketAddress& to, std::string head, EventTail& events,
       const EventTail::Take& take)
      : head_(std::move(head)),
        events_(events),
        take_(take),
        silence_(loop, [this] { end({ErrorKind::unavailable, "nothing was heard for a minute"}); }),
        stream_(loop, to, *this, base.tls.get(), base.urls[0].host) {
    silence_.start(kSilence);
  }

  const std::optional<Error>& ended() const { return ended_; }
  // Of an answer other than 200.
  int status() const { return status_; }
  const std::string& body() const { return body_; }

 private:
  void on_writable() override {
    while (sent_ < head_.size()) {
      const iovec part{const_cast<char*>(head_.data()) + sent_, head_.size() - sent_};
      const event::Io io = stream_.write(&part, 1);
      if (io.state == event::IoState::blocked) return;
      if (io.state != event::IoState::ok) return end({ErrorKind::unavailable, "the connection was closed"});
      sent_ += io.bytes;
    }
  }
  void on_readable() override {
    char bytes[kRead];
    const event::Io io = stream_.read(bytes, sizeof bytes);
    if (io.state == event::IoState::blocked) return;
    if (io.state != event::IoState::ok) return end({ErrorKind::unavailable, "the connection was closed"});
    silence_.start(kSilence);
    received_.append(bytes, io.bytes);
    if (!open_) read_head();
    if (open_ && !ended_) read_body();
  }
  void on_open_failed(const Error& reason) override { end({ErrorKind::unavailable, reason.message}); }

  void read_head() {
    const auto state = parser_.parse(received_, "GET", response_);
    if (state == http::ParseState::need_more) return;
    if (state == http::ParseState::refused) return end({ErrorKind::corrupt, fmt::format("the answer is not HTTP ({})", parser_.reason())});
    status_ = response_.status;
    chunked_ = response_.framing == http::Framing::chunked;
    received_.erase(0, parser_.head_bytes());
    open_ = true;
  }
  void read_body() {
    if (!chunked_) {
      body_ += std::exchange(received_, {});
    } else {
      size_t consumed = 0;
      const auto state = chunks_.decode(received_, body_, consumed);
      received_.erase(0, consumed);
      over_ = state == http::ParseState::complete;
      if (state == http::ParseState::refused) return end({ErrorKind::corrupt, "the answer is not well-formed"});
    }
    if (status_ != 200) {
      const bool whole = over_ || body_.size() >= response_.content_length;
      if (whole || body_.size() > kMaxRefusal) end({ErrorKind::refused, body_});
      return;
    }
    const Result<void> fed = events_.feed(std::exchange(body_, {}), take_);
    if (!fed) return end(fed.error());
    if (over_) end({ErrorKind::unavailable, "the stream has ended"});
  }
  void end(Error why) {
    if (!ended_) ended_ = std::move(why);
    silence_.cancel();
    stream_.want_read(false);
  }

  const std::string head_;
  EventTail& events_;
  const EventTail::Take& take_;
  size_t sent_ = 0;
  std::string received_, body_;
  http::ResponseParser parser_{http::HeadLimits{}};
  http::ResponseHead response_;
  http::ChunkedDecoder chunks_{UINT64_MAX};
  int status_ = 0;
  bool open_ = false, chunked_ = false, over_ = false;
  std::optional<Error> ended_;
  event::Timer silence_;
  event::Stream stream_;
};

}  // namespace

Result<event::SocketAddress> AdminClient::address() {
  const http::Url& url = base_.urls[0];
  if (url.scheme == "unix") return event::SocketAddress{.unix_path = url.host};
  std::optional<Result<std::vector<IpAddress>>> found;
  resolver_.resolve(url.host, [&](const Result<std::vector<IpAddress>>& addresses) { found = addresses; });
  if (!loop_.run_until([&] { return found.has_value(); }, kConnectTimeout)) return Error{ErrorKind::timeout, url.host + ": no answer from DNS"};
  if (!*found) return found->error();
  if ((*found)->empty()) return Error{ErrorKind::unavailable, url.host + " has no address"};
  return event::SocketAddress{.ip = (*found)->front(), .port = url.port};
}

Error AdminClient::tail(const std::string& path_and_query, EventTail& events, const EventTail::Take& take) {
  const auto to = address();
  if (!to) return {ErrorKind::unavailable, fmt::format("cannot reach the admin API at {}: {}", where_, to.error().message)};
  const http::Url& url = base_.urls[0];
  std::string head;
  http::append_request_line(head, "GET", url.path + path_and_query);
  http::append_field(head, "Host", url.authority());
  http::append_field(head, "Authorization", *base_.authorization.at(SystemClock().wall()));
  http::append_field(head, "Accept", "text/event-stream");
  if (!events.last_id().empty()) http::append_field(head, "Last-Event-ID", events.last_id());
  http::end_head(head);
  events.reset();
  Tail tail(loop_, base_, *to, std::move(head), events, take);
  while (!loop_.run_until([&] { return tail.ended().has_value(); }, kTimeout)) {
  }
  const Error& why = *tail.ended();
  if (why.kind == ErrorKind::refused) return refused(tail.status(), tail.body());
  return {why.kind, fmt::format("the admin API at {}: {}", where_, why.message)};
}

}  // namespace belay::cli
