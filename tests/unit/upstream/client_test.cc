#include <doctest/doctest.h>
#include <sys/resource.h>

#include "tests/unit/event/certificates.h"
#include "tests/unit/event/name_server.h"
#include "tests/unit/upstream/scripted_backend.h"
#include "upstream/answer_reader.h"

using namespace belay;
using namespace belay::test;
using namespace belay::upstream;
using namespace std::chrono_literals;

namespace {

Answer always_ok(const std::string&) { return ok(); }

}  // namespace

TEST_CASE("requests_in_a_row_share_one_connection_and_together_each_has_its_own") {
  belay::event::Loop loop;
  ScriptedBackend backend(loop, always_ok);
  Caller sender(loop);
  const auto to = destination({backend.url()});
  for (int i = 0; i < 5; ++i) {
    const auto sent = sender.send(to);
    CHECK(sent->outcome == Outcome::answered);
    CHECK_EQ(sent->status, 200);
    CHECK_EQ(sent->body, "ok");
    CHECK_EQ("http://" + sent->peer, backend.url());
  }
  CHECK_EQ(backend.connections, 1);
  CHECK_EQ(backend.requests.size(), 5);
  std::vector<std::unique_ptr<Sent>> together;
  for (int i = 0; i < 4; ++i) together.push_back(sender.begin(to));
  CHECK_EQ(sender.client.in_flight(), 4);
  REQUIRE(loop.run_until([&] { return together[0]->done && together[1]->done && together[2]->done && together[3]->done; }, 60s));
  CHECK_EQ(backend.connections, 4);
  CHECK_EQ(sender.client.in_flight(), 0);
}

TEST_CASE("a_request_sent_from_inside_done_works") {
  belay::event::Loop loop;
  ScriptedBackend backend(loop, always_ok);
  Caller sender(loop);
  const auto to = destination({backend.url()});
  int done = 0;
  std::vector<std::unique_ptr<Client::Call>> calls;
  const std::function<void(const Attempt&)> again = [&](const Attempt& attempt) {
    CHECK_EQ(attempt.status(), 200);
    if (++done < 10) calls.push_back(sender.client.send(to, sender.outbound(), again));
  };
  calls.push_back(sender.client.send(to, sender.outbound(), again));
  CHECK(loop.run_until([&] { return done == 10; }, 60s));
  CHECK(backend.connections <= 2);
}

TEST_CASE("a_backend_that_says_close_or_speaks_1_0_is_not_reused") {
  belay::event::Loop loop;
  Caller sender(loop);
  for (const std::string bytes : {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"}) {
    ScriptedBackend backend(loop, [&](const std::string&) { return Answer{.bytes = bytes}; });
    const auto to = destination({backend.url()});
    for (int i = 1; i <= 2; ++i) {
      CHECK_EQ(sender.send(to)->status, 200);
      CHECK_EQ(backend.connections, i);
      CHECK(loop.run_until([&] { return backend.open_connections() == 0; }, 60s));
    }
  }
}

TEST_CASE("a_kept_connection_that_the_backend_closes_while_idle_is_noticed") {
  belay::event::Loop loop;
  ScriptedBackend backend(loop, always_ok);
  Caller sender(loop);
  const auto to = destination({backend.url()});
  CHECK_EQ(sender.send(to)->status, 200);
  backend.close_all();
  loop.run_until([] { return false; }, 20ms);
  CHECK_EQ(sender.send(to)->status, 200);
  CHECK_EQ(backend.connections, 2);
  CHECK_EQ(backend.requests.size(), 2);
}

TEST_CASE("a_kept_connection_that_dies_under_a_request_costs_one_repetition_with_the_same_id") {
  belay::event::Loop loop;
  Caller sender(loop);
  for (const auto then : {Answer::Then::close, Answer::Then::reset}) {
    int answered = 0;
    ScriptedBackend backend(loop, [&](const std::string&) {
      if (++answered == 2) return Answer{.bytes = "", .then = then};
      return ok();
    });
    const auto to = destination({backend.url()});
    CHECK_EQ(sender.send(to)->status, 200);
    CHECK_EQ(sender.send(to)->status, 200);
    CHECK_EQ(backend.connections, 2);
    REQUIRE_EQ(backend.requests.size(), 3);
    CHECK_EQ(backend.requests[1], backend.requests[2]);
    CHECK(backend.requests[1].find("webhook-id: 0198c0de-0000-7000-8000-000000000001\r\n") != std::string::npos);
  }
}

TEST_CASE("a_connection_lost_before_the_event_was_seen_costs_one_repetition") {
  belay::event::Loop loop;
  ScriptedBackend backend(loop, always_ok);
  Caller sender(loop);
  const auto to = destination({backend.url()});
  CHECK_EQ(sender.send(to)->status, 200);
  backend.close_all();  // and no turn of the loop before the next request
  CHECK_EQ(sender.send(to)->status, 200);
  CHECK_EQ(backend.connections, 2);
}

TEST_CASE("a_fresh_connection_that_dies_is_a_reset_and_nothing_is_repeated") {
  belay::event::Loop loop;
  Caller sender(loop);
  for (const auto then : {Answer::Then::close, Answer::Then::reset}) {
    ScriptedBackend backend(loop, [&](const std::string&) { return Answer{.bytes = "", .then = then}; });
    const auto to = destination({backend.url()});
    const auto sent = sender.send(to);
    CHECK(sent->outcome == Outcome::reset);
    CHECK_FALSE(sent->error.empty());
    CHECK_EQ(backend.requests.size(), 1);
  }
}

TEST_CASE("the_repetition_itself_is_never_repeated") {
  belay::event::Loop loop;
  int answered = 0;
  ScriptedBackend backend(loop, [&](const std::string&) { return ++answered == 1 ? ok() : Answer{.bytes = "", .then = Answer::Then::close}; });
  Caller sender(loop);
  const auto to = destination({backend.url()});
  CHECK_EQ(sender.send(to)->status, 200);
  CHECK(sender.send(to)->outcome == Outcome::reset);
  CHECK_EQ(backend.requests.size(), 3);
}

TEST_CASE("half_an_answer_on_a_kept_connection_is_not_repeated") {
  belay::event::Loop loop;
  int answered = 0;
  ScriptedBackend backend(loop, [&](const std::string&) { return ++answered == 1 ? ok() : Answer{.bytes = "HTTP/1.1 2", .then = Answer::Then::close}; });
  Caller sender(loop);
  const auto to = destination({backend.url()});
  CHECK_EQ(sender.send(to)->status, 200);
  CHECK(sender.send(to)->outcome == Outcome::reset);
  CHECK_EQ(backend.requests.size(), 2);
}

TEST_CASE("nobody_listening_is_refused_and_the_next_url_is_tried") {
  belay::event::Loop loop;
  std::string dead;
  {
    ScriptedBackend gone(loop, always_ok);
    dead = gone.url();
  }
  Caller sender(loop);
  const auto refused = sender.send(destination({dead}));
  CHECK(refused->outcome == Outcome::refused);
  CHECK_EQ(refused->error, "connect: Connection refused");
  CHECK_EQ("http://" + refused->peer, dead);
  ScriptedBackend backend(loop, always_ok);
  const auto to = destination({dead, backend.url()});
  for (int i = 0; i < 4; ++i) CHECK_EQ(sender.send(to)->status, 200);
  CHECK(sender.send(destination({"unix:/nonexistent/backend.sock"}))->outcome == Outcome::refused);
}

TEST_CASE("several_urls_take_turns") {
  belay::event::Loop loop;
  ScriptedBackend one(loop, always_ok), two(loop, always_ok);
  Caller sender(loop);
  const auto to = destination({one.url(), two.url()});
  for (int i = 0; i < 6; ++i) CHECK_EQ(sender.send(to)->status, 200);
  CHECK_EQ(one.requests.size(), 3);
  CHECK_EQ(two.requests.size(), 3);
  CHECK_EQ(one.connections + two.connections, 2);
}

TEST_CASE("silence_is_a_timeout_and_the_connection_is_not_reused") {
  belay::event::Loop loop;
  ScriptedBackend backend(loop, [](const std::string&) { return Answer{}; });
  Caller sender(loop);
  const auto to = destination({backend.url()});
  to->timeout = 150ms;
  const auto sent = sender.send(to);
  CHECK(sent->outcome == Outcome::timeout);
  CHECK_EQ(sent->error, "no answer in time");
  CHECK(sent->total >= 140ms);
  CHECK(loop.run_until([&] { return backend.open_connections() == 0; }, 60s));
}

TEST_CASE("an_answer_that_drips_is_bounded_by_the_whole_timeout") {
  belay::event::Loop loop;
  ScriptedBackend backend(loop, [](const std::string&) {
    Answer slow = ok(std::string(1'000, 'x'));
    slow.byte_by_byte = true;
    return slow;
  });
  Caller sender(loop);
  const auto to = destination({backend.url()});
  to->timeout = 200ms;
  const auto sent = sender.send(to);
  CHECK(sent->outcome == Outcome::timeout);
  CHECK_EQ(sent->error, "the answer did not end in time");
}

TEST_CASE("concurrency_refuses_one_more_at_once_but_never_inside_send") {
  belay::event::Loop loop;
  ScriptedBackend backend(loop, [](const std::string&) { return Answer{}; });
  Caller sender(loop);
  const auto to = destination({backend.url()});
  to->concurrency = 2;
  const auto first = sender.begin(to), second = sender.begin(to), third = sender.begin(to);
  CHECK_FALSE(third->done);
  REQUIRE(loop.run_until([&] { return third->done; }, 60s));
  CHECK(third->outcome == Outcome::over_limit);
  CHECK_FALSE(first->done);
  first->call.reset();
  const auto fourth = sender.begin(to);  // a cancelled call frees its place
  loop.run_until([] { return false; }, 20ms);
  CHECK_FALSE(fourth->done);
  CHECK_EQ(sender.client.in_flight(), 2);
}

TEST_CASE("cancelling_closes_the_connection_and_calls_nobody") {
  belay::event::Loop loop;
  ScriptedBackend backend(loop, [](const std::string&) { return Answer{}; });
  Caller sender(loop);
  const auto to = destination({backend.url()});
  const auto sent = sender.begin(to);
  REQUIRE(loop.run_until([&] { return backend.requests.size() == 1; }, 60s));
  sent->call.reset();
  CHECK(loop.run_until([&] { return backend.open_connections() == 0; }, 60s));
  CHECK_FALSE(sent->done);
  CHECK_EQ(sender.client.in_flight(), 0);
  const auto at_once = sender.begin(to);
  at_once->call.reset();  // before its connect was done
  const auto limited = destination({backend.url()});
  limited->concurrency = 1;
  const auto first = sender.begin(limited), over = sender.begin(limited);
  over->call.reset();  // before it was told
  loop.run_until([] { return false; }, 20ms);
  CHECK_FALSE(at_once->done);
  CHECK_FALSE(over->done);
}

TEST_CASE("a_client_may_go_away_with_calls_under_way") {
  belay::event::Loop loop;
  ScriptedBackend backend(loop, [](const std::string&) { return Answer{}; });
  auto sender = std::make_unique<Caller>(loop);
  const auto to = destination({backend.url()});
  const auto sent = sender->begin(to);
  const auto looking_up = sender->begin(destination({"http://mute.example"}));
  REQUIRE(loop.run_until([&] { return backend.requests.size() == 1; }, 60s));
  sender.reset();
  CHECK(loop.run_until([&] { return backend.open_connections() == 0; }, 60s));
  CHECK_FALSE(sent->done);
}

TEST_CASE("large_bodies_go_up_and_come_down_whole") {
  belay::event::Loop loop;
  const std::string down(4 << 20, 'd');
  for (const bool chunked : {false, true}) {
    ScriptedBackend backend(loop, [&](const std::string&) {
      if (!chunked) return ok(down);
      return Answer{.bytes = "HTTP/1.1 200 OK\r\nX-Field: kept\r\nTransfer-Encoding: chunked\r\n\r\n400000\r\n" + down + "\r\n0\r\n\r\n"};
    });
    Caller sender(loop);
    sender.body = std::string(5 << 20, 'u');
    const auto to = destination({backend.url()});
    for (int i = 0; i < 2; ++i) {
      const auto sent = sender.send(to);
      REQUIRE_EQ(sent->error, "");
      CHECK((sent->body == down));  // not printed when it differs
      if (chunked) CHECK_EQ(sent->field_x, "kept");
      CHECK(backend.requests.back().ends_with(sender.body));
    }
    CHECK_EQ(backend.connections, 1);
  }
}

TEST_CASE("an_answer_before_the_request_is_sent_is_taken_and_its_connection_is_not_reused") {
  belay::event::Loop loop;
  ScriptedBackend backend(loop, [](const std::string&) {
    return Answer{.bytes = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n", .then = Answer::Then::keep};
  });
  backend.answer_before_the_body = true;
  Caller sender(loop);
  sender.body = std::string(64 << 20, 'u');
  const auto to = destination({backend.url()});
  const auto sent = sender.send(to);
  CHECK(sent->outcome == Outcome::answered);
  CHECK_EQ(sent->status, 413);
  CHECK(loop.run_until([&] { return backend.open_connections() == 0; }, 60s));
}

TEST_CASE("an_answer_over_the_limit_is_refused_and_one_at_the_limit_is_not") {
  belay::event::Loop loop;
  ScriptedBackend backend(loop, [](const std::string& request) { return ok(std::string(request.find("/over") == std::string::npos ? 1'000 : 1'001, 'x')); });
  Caller sender(loop, {.response_body = 1'000});
  const auto to = destination({backend.url()});
  CHECK_EQ(sender.send(to)->body.size(), 1'000);
  sender.target = "/over";
  const auto over = sender.send(to);
  CHECK(over->outcome == Outcome::bad_response);
  CHECK_EQ(over->error, "body over the limit");
}

TEST_CASE("the_pool_keeps_no_more_than_its_limit_and_no_longer_than_its_time") {
  belay::event::Loop loop;
  ScriptedBackend backend(loop, always_ok);
  Caller sender(loop, {.idle_per_destination = 2, .idle_timeout = 100ms});
  const auto to = destination({backend.url()});
  std::vector<std::unique_ptr<Sent>> together;
  for (int i = 0; i < 5; ++i) together.push_back(sender.begin(to));
  REQUIRE(loop.run_until([&] { return backend.requests.size() == 5 && backend.open_connections() == 2; }, 60s));
  CHECK(loop.run_until([&] { return backend.open_connections() == 0; }, 60s));
  Caller young(loop, {.connection_age = 0ms});
  CHECK_EQ(young.send(to)->status, 200);
  CHECK(loop.run_until([&] { return backend.open_connections() == 0; }, 60s));
}

TEST_CASE("retry_after_is_read_and_cut") {
  belay::event::Loop loop;
  std::string value;
  ScriptedBackend backend(loop, [&](const std::string&) {
    return Answer{.bytes = "HTTP/1.1 503 Busy\r\nRetry-After: " + value + "\r\nContent-Length: 0\r\n\r\n"};
  });
  Caller sender(loop);
  const auto to = destination({backend.url()});
  const std::pair<std::string, Duration> cases[] = {{"7", 7s}, {"86400", Destination::kMaxRetryAfter}, {"soon", Duration(-1)}};
  for (const auto& [text, expected] : cases) {
    value = text;
    const auto sent = sender.send(to);
    CHECK_EQ(sent->status, 503);
    CHECK_EQ(sent->retry_after.count(), expected.count());
  }
}

TEST_CASE("https_verifies_the_backend_and_reuses_its_connection") {
  Certificates made;
  made.issue("backend", "DNS:backend.test");
  const auto server = *belay::event::ServerTls::create({{made.certificate("backend"), made.key("backend"), "", ""}});
  belay::event::Loop loop;
  ScriptedBackend backend(loop, always_ok, server.get());
  Caller sender(loop);
  const auto to = destination({backend.url()});
  to->tls = std::shared_ptr<belay::event::ClientTls>(*belay::event::ClientTls::create({.ca = made.ca()}));
  const auto wrong = sender.send(to);
  CHECK(wrong->outcome == Outcome::tls_failed);
  CHECK_EQ(wrong->error, "TLS handshake: certificate of the peer: IP address mismatch");
  to->server_name = "backend.test";
  for (int i = 0; i < 3; ++i) CHECK_EQ(sender.send(to)->status, 200);
  CHECK_EQ(backend.connections, 2);
  CHECK_EQ(backend.requests.size(), 3);
}

TEST_CASE("a_tls_handshake_that_hangs_ends_with_the_connect_timeout") {
  belay::event::Loop loop;
  ScriptedBackend mute(loop, [](const std::string&) { return Answer{}; });  // never sees a whole request
  Caller sender(loop);
  const auto to = destination({"https" + mute.url().substr(4)});
  to->tls = std::shared_ptr<belay::event::ClientTls>(*belay::event::ClientTls::create({.verify = false}));
  to->connect_timeout = 100ms;
  const auto sent = sender.send(to);
  CHECK(sent->outcome == Outcome::timeout);
  CHECK_EQ(sent->error, "TLS handshake not done in time");
}

TEST_CASE("unix_sockets_are_backends_too") {
  const TemporaryFolder folder;
  belay::event::Loop loop;
  ScriptedBackend backend(loop, always_ok, nullptr, "unix:" + folder.file("app.sock"));
  Caller sender(loop);
  const auto to = destination({"unix:" + folder.file("app.sock")});
  CHECK_EQ(sender.send(to)->status, 200);
  CHECK_EQ(sender.send(to)->status, 200);
  CHECK_EQ(backend.connections, 1);
  CHECK(backend.requests[0].starts_with("POST /hook?x=1 HTTP/1.1\r\nHost: sender.test\r\n"));
}

TEST_CASE("a_name_that_leads_to_a_private_address_needs_permission") {
  NameServer names;
  belay::event::Loop loop;
  ScriptedBackend backend(loop, always_ok);
  const std::string port = backend.url().substr(backend.url().rfind(':'));
  Caller sender(loop, {}, names.address());
  const auto closed = destination({"http://loop.example" + port});
  const auto refused = sender.send(closed);
  CHECK(refused->outcome == Outcome::refused);
  CHECK_EQ(refused->error, "loop.example is 127.0.0.1, a private address; allow it with network: {allow: [127.0.0.1]}");
  const auto open = destination({"http://loop.example" + port});
  open->network_allow.push_back(*Cidr::parse("127.0.0.0/8"));
  CHECK_EQ(sender.send(open)->status, 200);
  CHECK(backend.requests[0].find("Host: loop.example" + port + "\r\n") != std::string::npos);
  CHECK(sender.send(destination({"http://priv.example" + port}))->outcome == Outcome::refused);
  const auto named = sender.send(destination({"http://localhost" + port}));
  CHECK_EQ(named->status, 200);
}

TEST_CASE("a_name_that_does_not_resolve_is_unresolved_and_a_silent_server_times_out_with_the_connect") {
  NameServer names;
  belay::event::Loop loop;
  Caller sender(loop, {}, names.address());
  const auto gone = sender.send(destination({"http://gone.example"}));
  CHECK(gone->outcome == Outcome::unresolved);
  CHECK_EQ(gone->error, "DNS: gone.example: Domain name not found");
  const auto to = destination({"http://mute.example"});
  to->connect_timeout = 100ms;
  const auto mute = sender.send(to);
  CHECK(mute->outcome == Outcome::timeout);
  CHECK_EQ(mute->error, "DNS: no answer in time");
}

TEST_CASE("an_address_that_swallows_everything_leaves_time_for_the_next_address_and_the_next_url") {
  NameServer names;
  belay::event::Loop loop;
  ScriptedBackend backend(loop, always_ok);
  const std::string port = backend.url().substr(backend.url().rfind(':') + 1);
  // A listener whose queue is full: the kernel drops who comes.
  const int hole = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<uint16_t>(std::stoi(port)));
  inet_pton(AF_INET, "127.0.0.2", &at.sin_addr);
  REQUIRE_EQ(bind(hole, reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
  REQUIRE_EQ(listen(hole, 0), 0);
  std::vector<int> queue;
  for (int i = 0; i < 4; ++i) {
    queue.push_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    static_cast<void>(connect(queue.back(), reinterpret_cast<const sockaddr*>(&at), sizeof at));
  }
  Caller sender(loop, {}, names.address());
  for (const std::vector<std::string>& urls : {std::vector<std::string>{"http://pair.example:" + port}, {"http://127.0.0.2:" + port, "http://127.0.0.1:" + port}}) {
    CAPTURE(urls.front());
    const auto to = destination(urls);
    to->network_allow.push_back(*Cidr::parse("127.0.0.0/8"));
    to->connect_timeout = 400ms;
    const auto sent = sender.send(to);
    CHECK_EQ(sent->status, 200);
    CHECK(sent->total >= 190ms);
  }
  const auto alone = destination({"http://127.0.0.2:" + port});
  alone->connect_timeout = 100ms;
  const auto timeout = sender.send(alone);
  CHECK(timeout->outcome == Outcome::timeout);
  CHECK_EQ(timeout->error, "connect not done in time");
  for (const int fd : queue) close(fd);
  close(hole);
}

TEST_CASE("a_line_break_made_by_a_rule_is_never_sent") {
  belay::event::Loop loop;
  ScriptedBackend backend(loop, always_ok);
  Caller sender(loop);
  sender.fields.add("X-Made", "a\r\nX-Injected: b");
  const auto sent = sender.send(destination({backend.url()}));
  CHECK(sent->outcome == Outcome::refused);
  CHECK(sent->error.find("line break") != std::string::npos);
  CHECK(backend.requests.empty());
}

TEST_CASE("dots_in_an_appended_path_are_never_sent") {
  belay::event::Loop loop;
  ScriptedBackend backend(loop, always_ok);
  Caller sender(loop);
  const auto to = destination({backend.url("/base")});
  to->append_path = true;
  Outbound request = sender.outbound();
  request.path_rest = "a/../../admin";
  bool done = false;
  const auto call = sender.client.send(to, request, [&](const Attempt& attempt) {
    done = true;
    CHECK(attempt.outcome == Outcome::refused);
  });
  REQUIRE(loop.run_until([&] { return done; }, 60s));
  CHECK(backend.requests.empty());
}

TEST_CASE("a_credential_of_which_no_value_is_valid_now_fails_the_attempt_before_anything_is_sent") {
  belay::event::Loop loop;
  ScriptedBackend backend(loop, always_ok);
  Caller sender(loop);
  const auto with = [&](std::optional<WallTime> from, std::optional<WallTime> until) {
    auto to = destination({backend.url()});
    to->authorization = FieldValue(conf::Secret{{.value = "Bearer t", .valid_from = from, .valid_until = until}});
    return to;
  };
  const WallTime now = loop.wall();
  for (const auto& to : {with({}, now - 1h), with(now + 1h, {})}) {
    const auto sent = sender.send(to);
    CHECK(sent->outcome == Outcome::no_credential);
    CHECK(sent->error.find("no value of Authorization is valid now") == 0);
  }
  CHECK(backend.requests.empty());
  CHECK_EQ(sender.send(with(now - 1h, now + 1h))->status, 200);
  REQUIRE_EQ(backend.requests.size(), 1);
  CHECK(backend.requests[0].find("\r\nAuthorization: Bearer t\r\n") != std::string::npos);
}

TEST_CASE("answers_that_come_in_pieces_are_counted_in_the_budget_and_one_too_large_for_it_loses_its_body_but_not_its_status") {
  belay::event::Loop loop;
  ScriptedBackend backend(loop, always_ok);
  std::atomic<int64_t> all{0}, own{0};
  MemoryBudget budget(all, own, 2 << 20);
  Caller sender(loop, {.memory = &budget});
  const auto to = destination({backend.url()});
  const auto answer_of = [&](size_t size) {
    backend.script([size](const std::string&) { return ok(std::string(size, 'x')); });
    return sender.send(to);
  };
  CHECK_EQ(answer_of(900'000)->body.size(), 900'000);
  CHECK(all < 200'000);  // an idle connection keeps no large buffer
  CHECK_EQ(all, own);
  const auto over = answer_of(5 << 20);
  CHECK(over->outcome == Outcome::no_memory);
  CHECK_EQ(over->status, 200);  // the backend has taken it: nobody may send it again
  CHECK(over->body.empty());
  CHECK_EQ(over->error, "limits.memory is reached");
  CHECK_EQ(all, 0);  // its connection is gone
  all = 2 << 20;     // somebody else holds everything
  CHECK(answer_of(300'000)->outcome == Outcome::no_memory);
  CHECK_EQ(answer_of(100)->status, 200);  // what comes in one piece takes no room
  all -= 2 << 20;
  CHECK_EQ(answer_of(300'000)->body.size(), 300'000);
}

TEST_CASE("an_answer_that_comes_in_two_reads_is_taken_however_full_the_budget_is") {
  std::atomic<int64_t> all{4 << 20}, own{0};
  MemoryBudget budget(all, own, 2 << 20);
  AnswerReader reader(1 << 20, 8, &budget);
  reader.start("POST");
  CHECK(reader.feed("HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + std::string(10'000, 'x')) == AnswerReader::State::need_more);
  CHECK(reader.feed(std::string(10'000, 'x')) == AnswerReader::State::complete);
  CHECK_EQ(reader.body().size(), 20'000);
  reader.rest();
  CHECK(own < 8 << 10);  // an idle connection keeps no body
}

TEST_CASE("a_large_answer_may_be_moved_out_and_leaves_the_budget") {
  belay::event::Loop loop;
  const std::string large(3 << 20, 'y');
  ScriptedBackend backend(loop, [&](const std::string&) { return ok(large); });
  std::atomic<int64_t> all{0}, own{0};
  MemoryBudget budget(all, own, 1 << 30);
  Caller sender(loop, {.memory = &budget});
  const auto to = destination({backend.url()});
  std::string taken;
  bool done = false;
  const auto call = sender.client.send(to, sender.outbound(), [&](const Attempt& attempt) {
    CHECK(all >= 3 << 20);
    REQUIRE(attempt.gathered_body != nullptr);
    taken = std::move(*attempt.gathered_body);
    done = true;
  });
  REQUIRE(loop.run_until([&] { return done; }, 60s));
  CHECK(taken == large);
  CHECK(all < 200'000);
  CHECK_EQ(sender.send(to)->body, large);
  CHECK_EQ(backend.connections, 1);
}

TEST_CASE("a_request_for_which_this_machine_has_no_descriptor_says_nothing_about_the_backend") {
  belay::event::Loop loop;
  ScriptedBackend backend(loop, always_ok);
  Caller sender(loop);
  const auto to = destination({backend.url(), backend.url()});
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = 3;  // what is open stays so
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  bool done = false;
  const auto call = sender.client.send(to, sender.outbound(), [&](const Attempt& attempt) {
    done = true;
    CHECK(attempt.outcome == Outcome::refused);
    CHECK(attempt.local);
    CHECK_FALSE(attempt.backend_failed(*to).has_value());
  });
  CHECK(loop.run_until([&] { return done; }, 60s));
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK_EQ(sender.send(to)->status, 200);
}
