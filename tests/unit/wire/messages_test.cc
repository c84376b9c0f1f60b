#include "wire/messages.h"

#include <doctest/doctest.h>

#include "tests/unit/wire/samples.h"
#include "wire/codec.h"

namespace belay::wire {

namespace {

constexpr int kRounds = 300;

void check_same(const Event& a, const Event& b) {
  CHECK(a.id == b.id);
  CHECK(a.received == b.received);
  CHECK(a.outcome == b.outcome);
  CHECK(a.status == b.status);
  CHECK(a.source == b.source);
  CHECK(a.destination == b.destination);
  CHECK(a.reason == b.reason);
  CHECK(a.type == b.type);
  CHECK(a.event_id == b.event_id);
  CHECK(a.resource == b.resource);
  CHECK(a.client == b.client);
  CHECK(a.method == b.method);
  CHECK(a.path == b.path);
  CHECK(a.body_bytes == b.body_bytes);
  CHECK(a.duration_us == b.duration_us);
  CHECK(a.backend_us == b.backend_us);
  CHECK(a.trust == b.trust);
}

// Every shorter form is refused, and so is one byte more.
template <typename Decode>
void check_every_cut_is_refused(const std::string& whole, Decode decode) {
  REQUIRE(decode(whole).ok());
  for (size_t length = 0; length < whole.size(); ++length) {
    INFO("cut at ", length, " of ", whole.size());
    CHECK_FALSE(decode(std::string_view(whole).substr(0, length)).ok());
  }
  CHECK_FALSE(decode(whole + '\0').ok());
}

void check_same(const std::vector<Claim>& got, const std::vector<Claim>& sent) {
  REQUIRE(got.size() == sent.size());
  for (size_t i = 0; i < sent.size(); ++i) {
    CHECK(got[i].key == sent[i].key);
    CHECK(got[i].window_ms == sent[i].window_ms);
  }
}

TEST_CASE("a_put_comes_back_as_it_was") {
  SeededRandom random(1);
  for (int round = 0; round < kRounds; ++round) {
    const Put sent = test::put(random);
    auto got = decode_put(encode(sent));
    REQUIRE(got.ok());
    check_same(got->event, sent.event);
    CHECK(got->request.method == sent.request.method);
    CHECK(got->request.target == sent.request.target);
    CHECK(got->request.path_rest == sent.request.path_rest);
    CHECK(got->request.fields == sent.request.fields);
    CHECK(got->request.has_body == sent.request.has_body);
    CHECK(got->request.body == sent.request.body);
    CHECK(got->request.path == sent.request.path);
    CHECK(got->request.forwarded_for == sent.request.forwarded_for);
    CHECK(got->request.tls == sent.request.tls);
    CHECK(got->request.received_body == sent.request.received_body);
    REQUIRE(got->shapes.size() == sent.shapes.size());
    for (size_t i = 0; i < sent.shapes.size(); ++i) {
      CHECK(got->shapes[i].body == sent.shapes[i].body);
      CHECK(got->shapes[i].fields == sent.shapes[i].fields);
    }
    REQUIRE(got->deliveries.size() == sent.deliveries.size());
    for (size_t i = 0; i < sent.deliveries.size(); ++i) {
      CHECK(got->deliveries[i].destination == sent.deliveries[i].destination);
      CHECK(got->deliveries[i].route == sent.deliveries[i].route);
      CHECK(got->deliveries[i].shape == sent.deliveries[i].shape);
      CHECK(got->deliveries[i].dead == sent.deliveries[i].dead);
      CHECK(got->deliveries[i].grouping == sent.deliveries[i].grouping);
      CHECK(got->deliveries[i].delay_ms == sent.deliveries[i].delay_ms);
      CHECK(got->deliveries[i].expire_ms == sent.deliveries[i].expire_ms);
    }
    check_same(got->claims, sent.claims);
    CHECK(got->first_attempt_failed == sent.first_attempt_failed);
    CHECK(got->attempt_status == sent.attempt_status);
    CHECK(got->attempt_error == sent.attempt_error);
    CHECK(got->delay_ms == sent.delay_ms);
  }
}

TEST_CASE("lines_of_the_books_come_back_in_order") {
  SeededRandom random(2);
  std::vector<Event> sent;
  EventLines lines;
  for (int i = 0; i < kRounds; ++i) {
    sent.push_back(test::event(random));
    lines.add(sent.back());
  }
  std::string bytes;
  const Confirmed confirmed{test::id(random), 201, test::claims(random)};
  append(bytes, 77, lines, {confirmed});
  auto got = decode_events(bytes);
  REQUIRE(got.ok());
  CHECK(got->number == 77);
  REQUIRE(got->confirmed.size() == 1);
  CHECK(got->confirmed[0].id == confirmed.id);
  CHECK(got->confirmed[0].status == 201);
  check_same(got->confirmed[0].claims, confirmed.claims);
  REQUIRE(got->lines.count() == sent.size());
  std::string_view rest = got->lines.bytes();
  for (const Event& event : sent) {
    auto view = next_event(rest);
    REQUIRE(view.ok());
    check_same(view->copy(), event);
  }
  CHECK(rest.empty());
}

TEST_CASE("a_line_cuts_texts_that_are_too_long_and_keeps_the_rest") {
  SeededRandom random(3);
  Event event = test::event(random);
  event.path = std::string(EventLines::kMaxText + 1, 'p');
  event.reason = std::string(100'000, 'r');
  EventLines lines;
  lines.add(event);
  std::string_view rest = lines.bytes();
  auto view = next_event(rest);
  REQUIRE(view.ok());
  CHECK(view->path.size() == EventLines::kMaxText);
  CHECK(view->reason.size() == EventLines::kMaxText);
  CHECK(view->client == event.client);
}

TEST_CASE("a_line_written_before_lines_had_a_trust_is_read_and_a_trust_nobody_knows_is_not") {
  SeededRandom random(5);
  Event event = test::event(random);
  event.trust = Trust::signed_fresh;
  EventLines lines;
  lines.add(event);
  std::string older = lines.bytes();
  older.pop_back();
  older[0] = static_cast<char>((older.size() - 2) >> 8);
  older[1] = static_cast<char>(older.size() - 2);
  std::string_view rest = older;
  auto view = next_event(rest);
  REQUIRE(view.ok());
  CHECK(view->trust == Trust::unknown);
  CHECK(view->path == event.path);
  std::string unknown = lines.bytes();
  unknown.back() = 5;
  rest = unknown;
  CHECK_FALSE(next_event(rest).ok());
}

TEST_CASE("answers_counters_hello_and_state_come_back_as_they_were") {
  SeededRandom random(4);
  for (int round = 0; round < kRounds; ++round) {
    const PutResult result{test::id(random), static_cast<PutState>(1 + test::below(random, 4)), test::bytes(random, 50),
                           {test::id(random), 202, 1}};
    auto got_result = decode_put_result(encode(result));
    REQUIRE(got_result.ok());
    CHECK(got_result->id == result.id);
    CHECK(got_result->state == result.state);
    CHECK(got_result->reason == result.reason);
    CHECK(got_result->by.first == result.by.first);
    CHECK(got_result->by.status == result.by.status);
    CHECK(got_result->by.claim == result.by.claim);

    const ClaimRequest request{test::id(random), {{{1, 2, 3}, 5'000}}};
    auto got_request = decode_claim_request(encode(request));
    REQUIRE(got_request.ok());
    CHECK(got_request->id == request.id);
    check_same(got_request->claims, request.claims);
    const ClaimResult claim{test::id(random), static_cast<ClaimState>(1 + test::below(random, 3)), {test::id(random), 200, 0}};
    auto got_claim = decode_claim_result(encode(claim));
    REQUIRE(got_claim.ok());
    CHECK(got_claim->state == claim.state);
    CHECK(got_claim->by.first == claim.by.first);

    Counters counters{random.next(), {}};
    for (size_t i = test::below(random, 5); i > 0; --i) {
      const std::string name = test::bytes(random, 20);
      counters.counters.push_back({name, test::bytes(random, 40), random.next()});
    }
    auto got_counters = decode_counters(encode(counters));
    REQUIRE(got_counters.ok());
    CHECK(got_counters->worker == counters.worker);
    REQUIRE(got_counters->counters.size() == counters.counters.size());
    for (size_t i = 0; i < counters.counters.size(); ++i) {
      CHECK(got_counters->counters[i].name == counters.counters[i].name);
      CHECK(got_counters->counters[i].labels == counters.counters[i].labels);
      CHECK(got_counters->counters[i].value == counters.counters[i].value);
    }
  }
  Hello hello{42, {}};
  hello.client.fill(7);
  auto got_hello = decode_hello(encode(hello));
  REQUIRE(got_hello.ok());
  CHECK(got_hello->process == 42);
  CHECK(got_hello->client == hello.client);
  auto state = decode_state(encode(State{false, "disk 85% full"}));
  REQUIRE(state.ok());
  CHECK_FALSE(state->accepting);
  CHECK(state->reason == "disk 85% full");
}

TEST_CASE("whatever_is_cut_short_or_too_long_is_refused") {
  SeededRandom random(5);
  for (int round = 0; round < 10; ++round) check_every_cut_is_refused(encode(test::put(random, 200)), decode_put);
  EventLines lines;
  for (int i = 0; i < 3; ++i) lines.add(test::event(random));
  std::string events;
  append(events, 1, lines, {{test::id(random), 200, test::claims(random)}});
  check_every_cut_is_refused(events, decode_events);
  check_every_cut_is_refused(encode(PutResult{test::id(random), PutState::refused, "disk full", {}}), decode_put_result);
  check_every_cut_is_refused(encode(ClaimRequest{test::id(random), {{{1}, 2}}}), decode_claim_request);
  check_every_cut_is_refused(encode(ClaimResult{test::id(random), ClaimState::busy, {}}), decode_claim_result);
  check_every_cut_is_refused(encode(Counters{1, {{"a", "b", 2}, {"c", "d", 3}}}), decode_counters);
  check_every_cut_is_refused(encode(Hello{1, {}}), decode_hello);
  check_every_cut_is_refused(encode(State{true, "why"}), decode_state);
}

TEST_CASE("random_damage_never_reads_outside_the_bytes") {  // sanitizers watch
  SeededRandom random(6);
  const std::string whole = encode(test::put(random, 300));
  for (int round = 0; round < 5'000; ++round) {
    std::string damaged = whole;
    for (size_t i = 1 + test::below(random, 4); i > 0; --i) {
      damaged[test::below(random, damaged.size())] = static_cast<char>(random.next());
    }
    static_cast<void>(decode_put(damaged).ok());
    static_cast<void>(decode_events(damaged).ok());
    static_cast<void>(decode_counters(damaged).ok());
  }
}

TEST_CASE("states_of_destinations_come_back_and_what_does_not_fit_is_refused") {
  const DestinationStates states = {{7, DestinationState::kPaused, 0}, {UINT64_MAX, 0, 0b101}};
  const std::string bytes = encode(states);
  const auto back = decode_destination_states(bytes);
  REQUIRE(back.ok());
  CHECK(*back == states);
  CHECK(decode_destination_states(encode(DestinationStates{}))->empty());
  for (size_t length = 0; length < bytes.size(); ++length) CHECK_FALSE(decode_destination_states(std::string_view(bytes).substr(0, length)).ok());
  std::string many = encode(DestinationStates{});
  many[1] = '\x7f';
  CHECK_FALSE(decode_destination_states(many).ok());
}

TEST_CASE("values_outside_their_enums_are_refused") {
  std::string result = encode(PutResult{MessageId{}, PutState::refused, "", {}});
  result[17] = 5;
  CHECK_FALSE(decode_put_result(result).ok());
  result[17] = 0;
  CHECK_FALSE(decode_put_result(result).ok());
  SeededRandom random(7);
  EventLines lines;
  lines.add(test::event(random));
  std::string bytes = lines.bytes();
  bytes[2 + 16 + 8] = 7;
  CHECK_FALSE(EventLines::parse(bytes).ok());
}

TEST_CASE("another_encoding_version_is_refused") {
  SeededRandom random(8);
  std::string put = encode(test::put(random));
  put[0] = static_cast<char>(put[0] + 1);
  CHECK_FALSE(decode_put(put).ok());
}

}  // namespace

}  // namespace belay::wire
