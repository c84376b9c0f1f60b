#include "admin/streams.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "admin/render.h"
#include "base/bytes.h"

namespace belay::admin {

struct Streams::Stream {
  uint64_t number = 0;
  spool::EventQuery query{};
  std::optional<WallTime> since{};  // to be shown first
  uint64_t place = 0;               // in the feed: shown up to there
  Sha256 token{};
  std::unique_ptr<event::SimpleStream> out{};
  MonotonicTime heard{};          // the last write
  size_t unsent = 0;              // at the last look
  int stuck = 0;                  // looks in a row in which nothing was taken
  bool asking = false;            // rows are being read
  bool ended = false;             // goes with the next tick

  void write(std::string_view event, std::string_view id, std::string_view data) {
    out->write(fmt::format("event: {}\nid: {}\ndata: {}\n\n", event, id, data));
  }
};

namespace {

std::string reason_json(std::string_view reason) {
  JsonWriter json;
  json.begin_object().field("reason", reason).end_object();
  return json.take();
}

}  // namespace

bool read_event_id(std::string_view text, StreamCall& into) {
  const auto parts = split(text, '-');
  if (parts.size() != 3) return false;
  const auto process = parse_u64(parts[0]), place = parse_u64(parts[1]), ms = parse_u64(parts[2]);
  constexpr uint64_t kLatest = uint64_t{1} << 48;  // ms: the year 10889
  if (!process || !place || !ms || *ms > kLatest) return false;
  into.process = *process;
  into.place = *place;
  into.since = wall_from_ms(static_cast<int64_t>(*ms));
  return true;
}

Streams::Streams(event::Loop& loop, spool::Operations& operations, const Clock& clock, const Tokens& tokens, const LoopGate& gate)
    : operations_(operations),
      clock_(clock),
      tokens_(tokens),
      gate_(gate),
      process_(static_cast<uint64_t>(to_ms(clock.wall()))),
      timer_(loop, [this] { tick(); }) {}

Streams::~Streams() {
  for (auto& stream : streams_) end(*stream, "the spool is stopping");
}

std::string Streams::id_at(uint64_t place) const { return fmt::format("{}-{}-{}", process_, place, to_ms(clock_.wall())); }

void Streams::open(StreamCall call, const Sha256& token, std::unique_ptr<event::SimpleStream> out) {
  const spool::Changes now = operations_.changes(call.place, 0);
  const bool known = call.process == process_ && !now.gap;
  const auto since = call.process != 0 && call.since ? *call.since - kOverlap : call.since;
  auto stream = std::make_unique<Stream>(Stream{.number = next_number_++,
                                                .query = std::move(call.query),
                                                .since = known ? std::nullopt : since,
                                                .place = known ? now.last : call.process == 0 ? operations_.changes(UINT64_MAX, 0).last : 0,
                                                .token = token,
                                                .out = std::move(out)});
  // Told at once, so that a client that is cut off before the first webhook knows where to go on.
  stream->out->write(fmt::format("retry: 1000\nid: {}\n\n", id_at(stream->place)));
  stream->heard = clock_.monotonic();
  if (call.process == process_ && now.gap) {
    stream->write("gap", id_at(stream->place), reason_json("more has changed since then than is remembered"));
  }
  streams_.push_back(std::move(stream));
  if (streams_.size() == 1) timer_.start(Duration{0});
}

void Streams::end(Stream& stream, std::string_view reason) {
  if (std::exchange(stream.ended, true)) return;
  stream.write("end", id_at(stream.place), reason_json(reason));
}

void Streams::tick() {
  streams_.remove_if([](const auto& stream) { return stream->ended || stream->out->gone(); });
  if (streams_.empty()) return;
  timer_.start(kEvery);
  const MonotonicTime now = clock_.monotonic();
  for (auto& stream : streams_) {
    if (!tokens_.caller(stream->token, clock_.wall())) {
      end(*stream, "the token is not valid any more");
    } else if (too_slow(*stream)) {
      end(*stream, fmt::format("too slow: {} bytes were not taken", stream->unsent));
    } else if (!stream->asking && stream->unsent < kRoom) {
      step(*stream);
    }
    if (now - stream->heard >= kHeartbeat && !stream->ended) {
      stream->out->write(fmt::format(": still here\nid: {}\n\n", id_at(stream->place)));
      stream->heard = now;
    }
  }
}

bool Streams::too_slow(Stream& stream) {
  const size_t before = std::exchange(stream.unsent, stream.out->unsent());
  stream.stuck = stream.unsent >= kRoom && stream.unsent >= before ? stream.stuck + 1 : 0;
  return stream.stuck > kPatience || stream.unsent > kMaxUnsent;
}

void Streams::step(Stream& stream) {
  if (stream.since) return catch_up(stream);
  spool::Changes changes = operations_.changes(stream.place, kStep);
  if (changes.gap) stream.write("gap", id_at(stream.place), reason_json("more changes than can be shown"));
  if (changes.ids.empty()) {
    stream.place = changes.last;
    return;
  }
  stream.asking = true;
  operations_.rows(stream.query, std::move(changes.ids),
                   gate_.pass<std::vector<spool::EventRow>>([this, number = stream.number, place = changes.last](const Result<std::vector<spool::EventRow>>& rows) {
                     show(number, rows, place);
                   }));
}

void Streams::catch_up(Stream& stream) {
  spool::EventQuery query = stream.query;
  query.since = std::exchange(stream.since, std::nullopt);
  stream.asking = true;
  operations_.events(query, std::nullopt, kCatchUp, gate_.pass<spool::EventPage>([this, number = stream.number](const Result<spool::EventPage>& page) {
    Stream* const to = find(number);
    if (to == nullptr) return;
    if (page && page->next) to->write("gap", id_at(to->place), reason_json("more has come since then than can be shown"));
    if (!page) return show(number, page.error(), to->place);
    show(number, std::vector<spool::EventRow>(page->rows.rbegin(), page->rows.rend()), to->place);
  }));
}

Streams::Stream* Streams::find(uint64_t number) {
  const auto found = std::find_if(streams_.begin(), streams_.end(), [&](const auto& stream) { return stream->number == number; });
  return found == streams_.end() ? nullptr : found->get();
}

void Streams::show(uint64_t number, const Result<std::vector<spool::EventRow>>& rows, uint64_t place) {
  Stream* const stream = find(number);
  if (stream == nullptr) return;
  stream->asking = false;
  if (stream->ended || stream->out->gone()) return;
  if (!rows) return end(*stream, rows.error().message);
  // The id moves on with the last of them: who is cut off in between gets all again.
  const std::string before = id_at(stream->place);
  stream->place = place;
  for (size_t i = 0; i < rows->size(); ++i) {
    stream->write("webhook", i + 1 == rows->size() ? id_at(place) : before, render_row((*rows)[i]));
  }
  if (!rows->empty()) stream->heard = clock_.monotonic();
}

}  // namespace belay::admin
