#include "kit.h"

using namespace belay;
using namespace belay::test;

TEST_CASE("only_listed_addresses_and_blocks_pass") {
  Kit kit(source("allow: [192.0.2.7, 10.0.0.0/8, \"2001:db8::/32\"]"), &modules::kAllow);
  for (const char* inside : {"192.0.2.7", "10.0.0.0", "10.255.255.255", "2001:db8:1::9"}) {
    INFO(inside);
    CHECK_EQ(kit.send("POST", "/s", {}, "{}", inside)->status(), 200);
  }
  for (const char* outside : {"192.0.2.6", "192.0.2.8", "9.255.255.255", "11.0.0.0", "2001:db9::1", "::1", "unix:"}) {
    INFO(outside);
    const auto refused = kit.send("POST", "/s", {}, "{}", outside);
    CHECK_EQ(refused->status(), 403);
    CHECK_EQ(refused->exchange->outcome, wire::Outcome::rejected);
  }
}

TEST_CASE("a_local_peer_without_address_passes_when_unix_is_listed") {
  Kit kit(source("allow: [\"unix:\"]"), &modules::kAllow);
  CHECK_EQ(kit.send("POST", "/s", {}, "{}", "unix:")->status(), 200);
  CHECK_EQ(kit.send("POST", "/s", {}, "{}", "127.0.0.1")->status(), 403);
}

TEST_CASE("thousands_of_overlapping_blocks_become_disjoint_ranges") {
  modules::AddressRanges ranges;
  for (int i = 0; i < 5'000; ++i) {
    ranges.add(*Cidr::parse("10." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ".0/24"));
    ranges.add(*Cidr::parse("10." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ".7"));
  }
  ranges.finish();
  CHECK_EQ(ranges.size(), 5'000);
  CHECK(ranges.contains(*IpAddress::parse("10.19.249.255")));
  CHECK_FALSE(ranges.contains(*IpAddress::parse("10.19.250.0")));
  CHECK_FALSE(ranges.contains(*IpAddress::parse("10.20.0.1")));
}

TEST_CASE("a_block_with_host_bits_or_an_empty_list_stops_the_load") {
  CHECK_FALSE(Kit(source("allow: [10.0.0.1/8]"), &modules::kAllow).built());
  CHECK_FALSE(Kit(source("allow: []"), &modules::kAllow).built());
  CHECK_FALSE(Kit(source("allow: [hooks.example.test]"), &modules::kAllow).built());
}
