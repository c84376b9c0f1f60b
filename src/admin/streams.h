// The streaming tail of the books: every stream gets the webhooks that arrive and those whose deliveries take another step, as
// Server-Sent Events (the HTML standard, §9.2). Owned by Api, on the loop's thread. Every kEvery a stream asks what has changed
// behind its place in the feed, reads those rows and writes the ones that answer its filter; between that nothing is held open
// in the store.
//
//   event: webhook  data: a row as in GET /v1/events
//   event: gap      data: {"reason": …}: more has changed than could be shown; the list has it
//   event: end      data: {"reason": …}: too slow, token gone, spool stopping; the connection closes
//
// Each has an id that a client sends back as Last-Event-ID to go on from there: process, place and time. Another process (the
// spool was restarted), or a place that is not known any more, goes on by time: what was received since then (and kOverlap
// before) as it is now, then what has changed since the process started. So a row may come twice; a step that was settled in the
// last moment before a crash may be missing. Limits: kMaxStreams (then 503); kStep rows each kEvery, and none
// while kRoom bytes are not taken; kCatchUp rows by time. A reader who takes nothing for kPatience, or lets kMaxUnsent pile up, is
// dropped with the reason.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "admin/loop_gate.h"
#include "admin/tokens.h"
#include "base/clock.h"
#include "event/loop.h"
#include "event/simple_server.h"
#include "spool/operations.h"

namespace belay::admin {

// What a stream begins with.
struct StreamCall {
  spool::EventQuery query;
  std::optional<WallTime> since;  // what was received since then, first
  uint64_t process = 0;           // of Last-Event-ID; 0: none was given
  uint64_t place = 0;
};
// "PROCESS-PLACE-MS"; false: it is not one.
bool read_event_id(std::string_view text, StreamCall& into);

class Streams {
 public:
  static constexpr size_t kMaxStreams = 16;
  static constexpr size_t kStep = 1'000;
  static constexpr uint32_t kCatchUp = 1'000;
  static constexpr size_t kRoom = size_t{256} << 10;
  static constexpr size_t kMaxUnsent = size_t{32} << 20;
  static constexpr Duration kEvery{100};
  static constexpr int kPatience = 50;  // of kEvery
  static constexpr Duration kHeartbeat{15'000};
  static constexpr Duration kOverlap{10'000};  // lines reach the books a moment after their ids were made

  Streams(event::Loop& loop, spool::Operations& operations, const Clock& clock, const Tokens& tokens, const LoopGate& gate);
  ~Streams();

  bool full() const { return streams_.size() >= kMaxStreams; }
  // `token`: the caller's; without it the stream ends.
  void open(StreamCall call, const Sha256& token, std::unique_ptr<event::SimpleStream> out);

 private:
  struct Stream;
  void tick();
  bool too_slow(Stream& stream);
  void step(Stream& stream);
  void catch_up(Stream& stream);
  void show(uint64_t number, const Result<std::vector<spool::EventRow>>& rows, uint64_t place);
  Stream* find(uint64_t number);
  void end(Stream& stream, std::string_view reason);
  std::string id_at(uint64_t place) const;

  spool::Operations& operations_;
  const Clock& clock_;
  const Tokens& tokens_;
  const LoopGate& gate_;
  const uint64_t process_;  // when it started, in ms: no two have the same
  std::list<std::unique_ptr<Stream>> streams_;
  uint64_t next_number_ = 1;
  event::Timer timer_;
};

}  // namespace belay::admin
