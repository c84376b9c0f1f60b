#include <doctest/doctest.h>
#include <unistd.h>

#include <fstream>

#include "tests/unit/event/certificates.h"
#include "tests/unit/event/stream_pair.h"

using namespace belay;
using namespace belay::event;
using namespace belay::test;
using namespace std::chrono_literals;

namespace {

std::unique_ptr<ClientTls> client_tls(const ClientTlsFiles& files) { return *ClientTls::create(files); }

}  // namespace

TEST_CASE("tls_carries_large_bodies_both_ways_and_ends_with_close_notify") {
  Certificates made;
  made.issue("server", "DNS:backend.test");
  const auto server = *ServerTls::create({{made.certificate("server"), made.key("server"), "", ""}});
  const auto client = client_tls({.ca = made.ca()});
  Pair pair(server.get());
  pair.client.connect(pair.loop, pair.address, client.get(), "backend.test");
  const std::string up(3 << 20, 'u'), down(5 << 20, 'd');
  pair.client.send(up);
  REQUIRE(pair.loop.run_until([&] { return pair.server.received.size() == up.size(); }, 60s));
  CHECK((pair.server.received == up));
  pair.server.send(down);
  REQUIRE(pair.loop.run_until([&] { return pair.client.received.size() == down.size(); }, 60s));
  CHECK((pair.client.received == down));
  CHECK_EQ(pair.client.stream->tls_version(), "TLSv1.3");
  CHECK_FALSE(pair.server.stream->peer_subject().has_value());
  pair.server.stream.reset();
  REQUIRE(pair.loop.run_until([&] { return pair.client.closed || pair.client.failed; }, 60s));
  CHECK(pair.client.closed);
}

TEST_CASE("bytes_inside_the_record_layer_are_announced_again") {
  Certificates made;
  made.issue("server", "DNS:backend.test");
  const auto server = *ServerTls::create({{made.certificate("server"), made.key("server"), "", ""}});
  const auto client = client_tls({.ca = made.ca()});
  Pair pair(server.get());
  pair.server.read_once = true;  // 100 bytes of a 16 KB record each time
  pair.client.connect(pair.loop, pair.address, client.get(), "backend.test");
  pair.client.send(std::string(40'000, 'r'));
  CHECK(pair.loop.run_until([&] { return pair.server.received.size() == 40'000; }, 60s));
}

TEST_CASE("a_paused_tls_stream_finds_its_record_when_it_reads_again") {
  Certificates made;
  made.issue("server", "DNS:backend.test");
  const auto server = *ServerTls::create({{made.certificate("server"), made.key("server"), "", ""}});
  const auto client = client_tls({.ca = made.ca()});
  Pair pair(server.get());
  pair.server.read_once = true;
  pair.client.connect(pair.loop, pair.address, client.get(), "backend.test");
  pair.client.send(std::string(300, 'r'));
  REQUIRE(pair.loop.run_until([&] { return !pair.server.received.empty(); }, 60s));
  pair.server.stream->want_read(false);
  const size_t held = pair.server.received.size();
  CHECK_FALSE(pair.loop.run_until([&] { return pair.server.received.size() > held; }, 30ms));
  pair.server.stream->want_read(true);
  CHECK(pair.loop.run_until([&] { return pair.server.received.size() == 300; }, 60s));
}

TEST_CASE("the_wrong_name_and_an_unknown_authority_fail_the_handshake") {
  Certificates made, other;
  made.issue("server", "DNS:backend.test,IP:127.0.0.1");
  const auto server = *ServerTls::create({{made.certificate("server"), made.key("server"), "", ""}});
  struct Case {
    std::string ca, name, failure;
    bool verify;
  };
  const Case cases[] = {
      {made.ca(), "elsewhere.test", "TLS handshake: certificate of the peer: hostname mismatch", true},
      {other.ca(), "backend.test", "TLS handshake: certificate of the peer: certificate signature failure", true},
      {made.ca(), "127.0.0.1", "", true},
      {made.ca(), "", "", true},  // the address itself
      {made.ca(), "127.0.0.2", "TLS handshake: certificate of the peer: IP address mismatch", true},
      {other.ca(), "elsewhere.test", "", false},
  };
  for (const Case& c : cases) {
    Pair pair(server.get());
    const auto client = client_tls({.ca = c.ca, .verify = c.verify});
    pair.client.connect(pair.loop, pair.address, client.get(), c.name);
    REQUIRE(pair.loop.run_until([&] { return pair.client.opened > 0 || !pair.client.failure.empty(); }, 60s));
    CHECK_EQ(pair.client.failure, c.failure);
    CHECK_EQ(pair.client.opened, c.failure.empty() ? 1 : 0);
  }
}

TEST_CASE("the_certificate_follows_the_asked_name") {
  Certificates made;
  made.issue("one", "DNS:one.test");
  made.issue("two", "DNS:two.test,DNS:*.two.test");
  const auto server = *ServerTls::create(
      {{made.certificate("one"), made.key("one"), "", ""}, {made.certificate("two"), made.key("two"), "", ""}});
  const auto client = client_tls({.ca = made.ca()});
  for (const std::string name : {"one.test", "two.test", "deep.two.test", "TWO.test"}) {
    Pair pair(server.get());
    pair.client.connect(pair.loop, pair.address, client.get(), name);
    REQUIRE(pair.loop.run_until([&] { return pair.client.opened > 0 || !pair.client.failure.empty(); }, 60s));
    CHECK_MESSAGE(pair.client.failure.empty(), name, ": ", pair.client.failure);
  }
  Pair pair(server.get());
  pair.client.connect(pair.loop, pair.address, client.get(), "a.b.two.test");
  REQUIRE(pair.loop.run_until([&] { return pair.client.opened > 0 || !pair.client.failure.empty(); }, 60s));
  CHECK_EQ(pair.client.failure, "TLS handshake: certificate of the peer: hostname mismatch");
}

TEST_CASE("client_certificates_are_verified_when_given_and_their_subject_is_known") {
  Certificates made, other;
  made.issue("server", "DNS:backend.test");
  made.issue("sender", "");
  other.issue("stranger", "");
  const auto server = *ServerTls::create({{made.certificate("server"), made.key("server"), "", made.ca()}});
  {
    Pair pair(server.get());
    const auto client = client_tls({.ca = made.ca(), .certificate = made.certificate("sender"), .key = made.key("sender")});
    pair.client.connect(pair.loop, pair.address, client.get(), "backend.test");
    pair.client.send("hello");
    REQUIRE(pair.loop.run_until([&] { return pair.server.received == "hello"; }, 60s));
    CHECK_EQ(pair.server.stream->peer_subject().value_or("none"), "CN=sender");
  }
  {
    Pair pair(server.get());
    const auto client = client_tls({.ca = made.ca()});
    pair.client.connect(pair.loop, pair.address, client.get(), "backend.test");
    pair.client.send("hello");
    REQUIRE(pair.loop.run_until([&] { return pair.server.received == "hello"; }, 60s));
    CHECK_FALSE(pair.server.stream->peer_subject().has_value());
  }
  Pair pair(server.get());
  const auto client = client_tls({.ca = made.ca(), .certificate = other.certificate("stranger"), .key = other.key("stranger")});
  pair.client.connect(pair.loop, pair.address, client.get(), "backend.test");
  REQUIRE(pair.loop.run_until([&] { return !pair.server.failure.empty(); }, 60s));
  CHECK(pair.server.failure.starts_with("TLS handshake: certificate of the peer: "));
}

TEST_CASE("a_connection_carries_requests_for_names_with_its_own_client_authority_only") {
  Certificates made, other;
  for (const char* name : {"one", "two", "three"}) made.issue(name, std::string("DNS:") + name + ".test");
  const auto carried = [&](const std::string& second_ca, const std::string& asked, const std::string& host) {
    const auto server = *ServerTls::create({{made.certificate("one"), made.key("one"), "", made.ca()},
                                            {made.certificate("two"), made.key("two"), "", second_ca},
                                            {made.certificate("three"), made.key("three"), "", made.ca()}});
    const auto client = client_tls({.ca = made.ca()});
    Pair pair(server.get());
    pair.client.connect(pair.loop, pair.address, client.get(), asked);
    REQUIRE(pair.loop.run_until([&] { return pair.client.opened > 0; }, 60s));
    pair.client.send("hello");
    REQUIRE(pair.loop.run_until([&] { return pair.server.received == "hello"; }, 60s));
    return pair.server.stream->may_carry(*server, host);
  };
  CHECK(carried(made.ca(), "one.test", "two.test"));
  for (const std::string& ca : {other.ca(), std::string()}) {
    for (const char* host : {"two.test", "TWO.test:8443", "two.test.", "two.test.:8443"}) {
      INFO(host);
      CHECK_FALSE(carried(ca, "one.test", host));
    }
    CHECK_FALSE(carried(ca, "two.test", "one.test"));
    CHECK_FALSE(carried(ca, "two.test", "unknown.test"));  // the first pair is for names that nobody knows
    CHECK(carried(ca, "two.test", "two.test"));
    CHECK(carried(ca, "one.test", "three.test:8443"));
    CHECK(carried(ca, "one.test", "[::1]:8443"));
  }
}

TEST_CASE("plain_bytes_on_a_tls_port_fail_the_handshake_in_words") {
  Certificates made;
  made.issue("server", "DNS:backend.test");
  const auto server = *ServerTls::create({{made.certificate("server"), made.key("server"), "", ""}});
  Pair pair(server.get());
  pair.client.connect(pair.loop, pair.address);
  pair.client.send("GET / HTTP/1.1\r\n\r\n");
  REQUIRE(pair.loop.run_until([&] { return !pair.server.failure.empty(); }, 60s));
  CHECK_EQ(pair.server.failure, "TLS handshake: http request");
}

TEST_CASE("broken_certificate_files_are_named_with_what_is_wrong") {
  Certificates made;
  made.issue("one", "DNS:one.test");
  made.issue("two", "DNS:two.test");
  const auto missing = ServerTls::create({{made.certificate("none"), made.key("one"), "", ""}});
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().message.find("none.pem") != std::string::npos);
  CHECK(missing.error().message.find("No such file") != std::string::npos);
  const auto swapped = ServerTls::create({{made.certificate("one"), made.key("two"), "", ""}});
  REQUIRE_FALSE(swapped.ok());
  CHECK_EQ(swapped.error().message, made.key("two") + ": the key does not match the certificate " + made.certificate("one"));
  std::ofstream(made.certificate("junk")) << "not a certificate\n";
  const auto junk = ServerTls::create({{made.certificate("junk"), made.key("one"), "", ""}});
  REQUIRE_FALSE(junk.ok());
  CHECK(junk.error().message.starts_with(made.certificate("junk") + ": not a PEM certificate chain"));
  const auto bad_ca = ClientTls::create({.ca = made.certificate("junk")});
  REQUIRE_FALSE(bad_ca.ok());
  CHECK(bad_ca.error().message.starts_with(made.certificate("junk") + ": no PEM certificates"));
}
