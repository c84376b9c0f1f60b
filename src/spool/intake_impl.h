// The intake's working parts, shared by its three files: intake.cc (connections and puts), intake_claims.cc (keys that are asked
// for), intake_lines.cc (lines of the books). One per intake, on its loop.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "event/stream.h"
#include "spool/claim_holds.h"
#include "spool/intake.h"
#include "wire/frame_stream.h"

namespace belay::spool {

using wire::FrameType;

// Where the answer to a put or a claim goes.
struct Asked {
  uint64_t connection;
  uint32_t sequence;
  MessageId id;
};

// A claim whose keys are held, to be looked up in the store.
struct Lookup {
  Asked asked;
  std::vector<wire::Claim> claims;
};

// Lines of the books of one connection that are not committed. They outlive it: what a worker sent is kept until it stands.
struct Lines {
  std::array<uint8_t, 16> client{};
  std::deque<wire::Events> waiting;
  size_t bytes = 0;
  size_t committing = 0;  // of the first ones: under way
  bool failed = false;    // to be tried again with the next tick
  bool gone = false;      // the connection is: its keys are given up when all stands
  bool ignoring = false;  // too many wait: the worker keeps its lines and repeats them on a new connection
};

struct Intake::Impl {
  struct Connection final : wire::FrameHandler {
    Connection(Impl& intake, uint64_t connection_number, int fd)
        : owner(intake), number(connection_number), stream(intake.loop, fd, *this) {}
    void on_open() override {}
    bool on_frame(const wire::Frame& frame) override { return owner.on_frame(*this, frame); }
    void on_ended(const Error& reason) override { owner.on_ended(*this, reason); }

    Impl& owner;
    uint64_t number;
    bool greeted = false;
    bool lines_came = false;  // in this turn
    size_t line_bytes = 0;    // of them
    bool rests = false;       // not read before the end of kLinesRest
    MonotonicTime asked_at{};
    wire::Hello peer;
    wire::FrameStream stream;
  };

  Impl(event::Loop& event_loop, Store& the_store, const Clock& the_clock, IntakeHooks the_hooks, Random* the_random)
      : loop(event_loop),
        store(the_store),
        clock(the_clock),
        hooks(std::move(the_hooks)),
        random(the_random != nullptr ? *the_random : system_random),
        state_timer(loop, [this] { tell_state(); }),
        rest_timer(loop, [this] { read_resting(); }),
        turn_end(loop, [this] { end_turn(); }) {
    state_timer.start(kStateEvery);
  }
  ~Impl() {
    if (listen_fd >= 0) close(listen_fd);
  }

  void accept(int fd);
  bool on_frame(Connection& connection, const wire::Frame& frame);
  bool on_put(Connection& connection, const wire::Frame& frame);
  void add_put(const Asked& who, NewMessage planned);
  void take_put(const Asked& who, const std::shared_ptr<NewMessage>& planned, MonotonicTime deadline);
  bool on_claim(Connection& connection, const wire::Frame& frame);
  void take_claim(Lookup lookup, MonotonicTime deadline);
  void look_up();
  void looked_up(const std::vector<Lookup>& who, Result<std::vector<std::optional<wire::ClaimedBy>>> found);
  void on_ended(Connection& connection, const Error& reason);
  void end_turn();
  void commit_puts();
  void committed(const std::vector<Asked>& who, std::vector<NewMessage>& puts, Result<Committed> result);
  void hand_over(std::vector<NewMessage>& puts, const Committed& result);
  void take_lines(Connection& connection, wire::Events events);
  void commit_lines(uint64_t number, Lines& lines);
  void lines_committed(uint64_t number, bool ok);
  void let_rest(Connection& connection);
  void read_resting();
  void drop(uint64_t number);
  void answer(const Asked& asked, const wire::PutResult& result);
  void answer(const Asked& asked, const wire::ClaimResult& result);
  void tell_state();
  void send_state(Connection& connection);
  void send_states(Connection& connection);
  void tell_states();
  Connection* find(uint64_t number);

  event::Loop& loop;
  Store& store;
  const Clock& clock;
  IntakeHooks hooks;
  SystemRandom system_random;
  Random& random;
  int listen_fd = -1;
  std::unique_ptr<event::Listener> listener;
  std::shared_ptr<const upstream::Destinations> destinations = std::make_shared<upstream::Destinations>();
  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections;
  uint64_t next_connection = 1;
  std::vector<NewMessage> puts;  // of this turn
  std::vector<Asked> asked;
  std::vector<Lookup> lookups;   // of this turn
  std::vector<DestinationId> wake_later;  // with the next tick
  std::unordered_map<uint64_t, Lines> lines;  // by connection
  ClaimHolds holds;
  wire::State told;
  wire::DestinationStates states;
  MonotonicTime states_again{};
  bool lines_wait = false;  // the store does not take them: said once
  event::Timer state_timer, rest_timer;
  event::Loop::TurnEnd turn_end;
  // Outlives the intake in callbacks of the store.
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
};

}  // namespace belay::spool
