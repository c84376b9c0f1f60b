#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "proxy/client_address.h"

using namespace belay;
using namespace belay::proxy;

namespace {

const std::vector<std::string> kTrusted = {"127.0.0.0/8", "10.0.0.0/8", "2001:db8::/32", "unix:"};

pipeline::Client resolve(const std::string& peer, const std::vector<std::pair<std::string, std::string>>& fields) {
  const TrustedProxies trusted = TrustedProxies::parse(kTrusted).value();
  Peer from;
  from.unix_socket = peer == "unix:";
  if (!from.unix_socket) {
    from.address = *IpAddress::parse(peer);
    from.text = peer;
  }
  from.trusted = from.unix_socket ? trusted.unix_sockets() : trusted.contains(from.address);
  http::Fields list;
  for (const auto& [name, value] : fields) list.add(name, value);
  pipeline::Client client;
  resolve_client(trusted, from, list, client);
  return client;
}

}  // namespace

TEST_CASE("an_untrusted_peer_is_the_sender_whatever_it_claims") {
  const auto client = resolve("192.0.2.9", {{"X-Forwarded-For", "1.2.3.4"}, {"X-Forwarded-Proto", "https"}});
  CHECK(client.text() == "192.0.2.9");
  CHECK(client.forwarded_for == "192.0.2.9");
  CHECK(!client.tls);
  CHECK(!client.vouched);
}

TEST_CASE("behind_a_trusted_proxy_the_rightmost_untrusted_address_is_the_sender") {
  const auto client = resolve("127.0.0.1", {{"X-Forwarded-For", "6.6.6.6, 192.0.2.9, 10.1.1.1"}});
  CHECK(client.text() == "192.0.2.9");
  CHECK(client.forwarded_for == "6.6.6.6, 192.0.2.9, 10.1.1.1, 127.0.0.1");
  CHECK(client.vouched);
}

TEST_CASE("several_fields_are_one_chain") {
  const auto client = resolve("127.0.0.1", {{"X-Forwarded-For", "6.6.6.6"}, {"x-forwarded-for", "192.0.2.9"}});
  CHECK(client.text() == "192.0.2.9");
  CHECK(client.forwarded_for == "6.6.6.6, 192.0.2.9, 127.0.0.1");
}

TEST_CASE("a_chain_of_trusted_proxies_alone_begins_with_the_sender") {
  CHECK(resolve("127.0.0.1", {{"X-Forwarded-For", "10.0.0.5, 10.0.0.6"}}).text() == "10.0.0.5");
}

TEST_CASE("nonsense_in_the_chain_ends_it") {
  CHECK(resolve("127.0.0.1", {{"X-Forwarded-For", "1.2.3.4, unknown, 10.0.0.6"}}).text() == "10.0.0.6");
  CHECK(resolve("127.0.0.1", {{"X-Forwarded-For", "1.2.3.4, unknown"}}).text() == "127.0.0.1");
  CHECK(resolve("127.0.0.1", {{"X-Forwarded-For", ", ,"}}).text() == "127.0.0.1");
  CHECK(resolve("127.0.0.1", {}).text() == "127.0.0.1");
}

TEST_CASE("addresses_with_ports_and_brackets_are_read") {
  CHECK(resolve("127.0.0.1", {{"X-Forwarded-For", "192.0.2.9:4711"}}).text() == "192.0.2.9");
  CHECK(resolve("127.0.0.1", {{"X-Forwarded-For", "[2001:dead::1]:443"}}).text() == "2001:dead::1");
  CHECK(resolve("127.0.0.1", {{"X-Forwarded-For", "2001:dead::1"}}).text() == "2001:dead::1");
}

TEST_CASE("a_trusted_unix_peer_adds_nothing_to_the_chain") {
  const auto client = resolve("unix:", {{"X-Forwarded-For", "192.0.2.9"}, {"X-Forwarded-Proto", "https"}});
  CHECK(client.text() == "192.0.2.9");
  CHECK(client.forwarded_for == "192.0.2.9");
  CHECK(client.tls);
  CHECK(resolve("unix:", {}).text() == "unix:");
}

TEST_CASE("a_wrong_trusted_proxy_is_an_error") {
  CHECK(!TrustedProxies::parse({"10.0.0.1/8"}).ok());
  CHECK(!TrustedProxies::parse({"localhost"}).ok());
}
