#include "wire/client.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/bytes.h"
#include "base/log.h"
#include "base/random.h"
#include "wire/frame_stream.h"

namespace belay::wire {

namespace {

constexpr size_t kLinesAtOnce = 256 << 10;  // bytes of lines in one events frame
constexpr Duration kSweep{250};             // how late a put's timeout may be noticed

Error unavailable(std::string reason) { return {ErrorKind::unavailable, "spool: " + std::move(reason)}; }

class Client final : public SpoolClient, public FrameHandler {
 public:
  Client(event::Loop& loop, const ClientOptions& options);

  bool available() const override { return greeted_ && state_.accepting; }
  void put(const Put& put, PutDone done) override;
  void claim(const ClaimRequest& request, ClaimDone done) override;
  void release(MessageId id) override;
  using SpoolClient::record;
  void record(const Event& event, const std::vector<Claim>& claims) override;
  void send_counters(const Counters& counters) override;
  uint64_t events_dropped() const override { return dropped_; }
  size_t waiting() const override { return asked_.size() + lines_waiting_; }
  void flush() override;

 private:
  struct Deadline {
    uint32_t sequence;
    MonotonicTime when;
  };
  struct Sent {
    uint64_t number;
    EventLines lines;
    std::vector<Confirmed> confirmed;
  };
  // A question that the spool answers with the same sequence; one of the two is set.
  struct Asked {
    PutDone put;
    ClaimDone claim;
    void fail(const Error& error) const {
      if (put) put(error);
      else claim(error);
    }
  };

  void connect();
  void on_open() override;
  bool on_frame(const Frame& frame) override;
  void on_ended(const Error& reason) override;
  bool on_put_result(const Frame& frame);
  bool on_claim_result(const Frame& frame);
  std::optional<Asked> take(uint32_t sequence);
  void wait_for(uint32_t sequence, Asked asked);
  void on_events_ack(uint32_t sequence);
  bool on_state(std::string_view payload);
  void sweep();
  void fail_asked(const std::string& reason);
  void fail_later(Asked asked, Error error);
  void close_lines();
  void send_lines(const Sent& sent);
  void drop_oldest();

  event::Loop& loop_;
  const ClientOptions options_;
  event::SocketAddress address_;
  Hello hello_;
  std::unique_ptr<FrameStream> stream_;
  event::Timer reconnect_, sweep_timer_;
  Duration wait_ = ClientOptions::kReconnect;
  bool greeted_ = false;   // the spool said hello on this connection
  bool reported_ = false;  // that it is away; once per outage
  State state_;

  uint32_t next_sequence_ = 1;
  std::unordered_map<uint32_t, Asked> asked_;
  std::deque<Deadline> deadlines_;  // ascending: the timeout is the same for all

  EventLines gathering_;
  std::vector<Confirmed> confirming_;  // of the lines being gathered
  std::deque<Sent> unacknowledged_;  // numbers ascend by one
  uint64_t next_number_ = 1;
  size_t lines_waiting_ = 0, line_bytes_ = 0;
  uint64_t dropped_ = 0;
  event::Loop::TurnEnd turn_end_;
};

Client::Client(event::Loop& loop, const ClientOptions& options)
    : loop_(loop),
      options_(options),
      reconnect_(loop, [this] { connect(); }),
      sweep_timer_(loop, [this] { sweep(); }),
      turn_end_(loop, [this] { flush(); }) {
  address_.unix_path = options.socket_path;
  hello_.process = static_cast<uint64_t>(getpid());
  SystemRandom system;
  Random& random = options.random != nullptr ? *options.random : system;
  for (size_t i = 0; i < hello_.client.size(); i += sizeof(uint64_t)) {
    const uint64_t bits = random.next();
    std::memcpy(hello_.client.data() + i, &bits, sizeof bits);
  }
  connect();
}

void Client::connect() { stream_ = std::make_unique<FrameStream>(loop_, address_, *this); }

void Client::on_open() {
  const size_t start = begin_frame(stream_->out());
  append(stream_->out(), hello_);
  end_frame(stream_->out(), start, FrameType::hello, 0);
}

void Client::on_ended(const Error& reason) {
  if (!reported_) log::warn("spool away: {}; trying again", reason.message);
  reported_ = true;
  greeted_ = false;
  state_ = State();
  reconnect_.start(wait_);
  wait_ = std::min(wait_ * 2, ClientOptions::kReconnectMax);
  fail_asked("the connection was lost");
  if (options_.away) options_.away();
  stream_.reset();
}

void Client::fail_asked(const std::string& reason) {
  auto failed = std::move(asked_);
  asked_.clear();
  deadlines_.clear();
  sweep_timer_.cancel();
  for (auto& [sequence, asked] : failed) asked.fail(unavailable(reason));
}

bool Client::on_frame(const Frame& frame) {
  switch (frame.type) {
    case FrameType::hello: {
      if (!decode_hello(frame.payload)) return false;
      if (reported_) log::info("spool is back");
      reported_ = false;
      greeted_ = true;
      wait_ = ClientOptions::kReconnect;
      for (const Sent& sent : unacknowledged_) send_lines(sent);
      return true;
    }
    case FrameType::put_result: return on_put_result(frame);
    case FrameType::claim_result: return on_claim_result(frame);
    case FrameType::events_ack: on_events_ack(frame.sequence); return true;
    case FrameType::state: return on_state(frame.payload);
    case FrameType::destinations: {
      const auto states = decode_destination_states(frame.payload);
      if (states && options_.destinations) options_.destinations(*states);
      return states.ok();
    }
    case FrameType::put:
    case FrameType::events:
    case FrameType::counters:
    case FrameType::claim:
    case FrameType::release: break;  // never from the spool
  }
  return false;
}

// Empty: answered after its timeout.
std::optional<Client::Asked> Client::take(uint32_t sequence) {
  const auto at = asked_.find(sequence);
  if (at == asked_.end()) return std::nullopt;
  std::optional<Asked> asked(std::move(at->second));
  asked_.erase(at);
  return asked;
}

bool Client::on_put_result(const Frame& frame) {
  auto result = decode_put_result(frame.payload);
  if (!result) return false;
  const auto asked = take(frame.sequence);
  if (asked && !asked->put) return false;
  if (asked) asked->put(std::move(*result));
  return true;
}

bool Client::on_claim_result(const Frame& frame) {
  auto result = decode_claim_result(frame.payload);
  if (!result) return false;
  const auto asked = take(frame.sequence);
  if (asked && !asked->claim) return false;
  if (asked) {
    asked->claim(*result);
  } else if (result->state == ClaimState::fresh) {
    release(result->id);  // nobody waits for it any more
  }
  return true;
}

// Acknowledges every number up to this one; frames carry its low half.
void Client::on_events_ack(uint32_t sequence) {
  if (unacknowledged_.empty()) return;
  const uint32_t ahead = sequence - static_cast<uint32_t>(unacknowledged_.front().number);
  if (ahead >= unacknowledged_.size()) return;  // of a batch that was dropped, or acknowledged before
  for (uint32_t i = 0; i <= ahead; ++i) {
    lines_waiting_ -= unacknowledged_.front().lines.count();
    line_bytes_ -= unacknowledged_.front().lines.bytes().size();
    unacknowledged_.pop_front();
  }
}

bool Client::on_state(std::string_view payload) {
  auto state = decode_state(payload);
  if (!state) return false;
  if (state->accepting != state_.accepting) {
    if (state->accepting) log::info("spool accepts again");
    else log::warn("spool refuses: {}", printable(state->reason));
  }
  state_ = std::move(*state);
  return true;
}

void Client::fail_later(Asked asked, Error error) {
  loop_.post([asked = std::move(asked), error = std::move(error)] { asked.fail(error); });
}

void Client::put(const Put& put, PutDone done) {
  Asked asked{std::move(done), {}};
  if (!greeted_) return fail_later(std::move(asked), unavailable("not connected"));
  if (!state_.accepting) return fail_later(std::move(asked), unavailable(state_.reason));
  std::string& out = stream_->out();
  if (stream_->unsent() + put.request.body.size() > ClientOptions::kMaxBuffered) {
    return fail_later(std::move(asked), {ErrorKind::full, "spool: too much waits to be written"});
  }
  const size_t start = begin_frame(out);
  append(out, put);
  if (out.size() - start - kFrameHead > kMaxPayload) {
    out.resize(start);
    return fail_later(std::move(asked), {ErrorKind::full, "spool: the request is too large to be stored"});
  }
  const uint32_t sequence = next_sequence_++;
  end_frame(out, start, FrameType::put, sequence);
  wait_for(sequence, std::move(asked));
}

void Client::claim(const ClaimRequest& request, ClaimDone done) {
  Asked asked{{}, std::move(done)};
  if (!greeted_) return fail_later(std::move(asked), unavailable("not connected"));
  std::string& out = stream_->out();
  const size_t start = begin_frame(out);
  append(out, request);
  const uint32_t sequence = next_sequence_++;
  end_frame(out, start, FrameType::claim, sequence);
  wait_for(sequence, std::move(asked));
}

// A spool that went away has released everything by itself.
void Client::release(MessageId id) {
  if (greeted_) append_frame(stream_->out(), FrameType::release, 0, id.view());
}

void Client::wait_for(uint32_t sequence, Asked asked) {
  asked_.emplace(sequence, std::move(asked));
  deadlines_.push_back({sequence, loop_.now() + options_.put_timeout});
  if (!sweep_timer_.running()) sweep_timer_.start(std::min(options_.put_timeout, kSweep));
}

void Client::sweep() {
  std::vector<Asked> late;
  while (!deadlines_.empty()) {
    if (const auto at = asked_.find(deadlines_.front().sequence); at != asked_.end()) {
      if (deadlines_.front().when > loop_.now()) break;
      late.push_back(std::move(at->second));
      asked_.erase(at);
    }
    deadlines_.pop_front();
  }
  if (!deadlines_.empty()) sweep_timer_.start(std::min(options_.put_timeout, kSweep));
  for (const Asked& asked : late) asked.fail({ErrorKind::timeout, "spool: no answer in time"});
}

void Client::record(const Event& event, const std::vector<Claim>& claims) {
  gathering_.add(event);
  if (!claims.empty()) confirming_.push_back({event.id, event.status, claims});
  ++lines_waiting_;
  if (gathering_.bytes().size() >= kLinesAtOnce) close_lines();
  while (lines_waiting_ > ClientOptions::kMaxEvents || line_bytes_ > ClientOptions::kMaxBuffered) drop_oldest();
}

// Numbers what was gathered; from here on it is repeated until acknowledged.
void Client::close_lines() {
  if (gathering_.empty()) return;
  line_bytes_ += gathering_.bytes().size();
  unacknowledged_.push_back({next_number_++, std::exchange(gathering_, EventLines()), std::exchange(confirming_, {})});
  if (greeted_) send_lines(unacknowledged_.back());
}

void Client::send_lines(const Sent& sent) {
  std::string& out = stream_->out();
  const size_t start = begin_frame(out);
  append(out, sent.number, sent.lines, sent.confirmed);
  end_frame(out, start, FrameType::events, static_cast<uint32_t>(sent.number));
}

void Client::drop_oldest() {
  if (unacknowledged_.empty()) close_lines();
  const Sent& oldest = unacknowledged_.front();
  dropped_ += oldest.lines.count();
  lines_waiting_ -= oldest.lines.count();
  line_bytes_ -= oldest.lines.bytes().size();
  unacknowledged_.pop_front();
}

void Client::send_counters(const Counters& counters) {
  if (!greeted_ || stream_->unsent() > ClientOptions::kMaxBuffered) return;  // absolute values: the next ones will do
  std::string& out = stream_->out();
  const size_t start = begin_frame(out);
  append(out, counters);
  end_frame(out, start, FrameType::counters, 0);
}

void Client::flush() {
  if (greeted_) close_lines();
  if (stream_) stream_->flush();
}

}  // namespace

std::unique_ptr<SpoolClient> connect_spool(event::Loop& loop, const ClientOptions& options) {
  return std::make_unique<Client>(loop, options);
}

}  // namespace belay::wire
