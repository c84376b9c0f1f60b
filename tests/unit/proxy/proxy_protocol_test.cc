#include <doctest/doctest.h>

#include <string>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "proxy/proxy_protocol.h"

using namespace belay;
using namespace belay::proxy;

namespace {

using State = ProxyHeaderState;

State parse(std::string_view bytes, ProxyHeader& header) { return parse_proxy_header(bytes, header); }
State parse(std::string_view bytes) {
  ProxyHeader header;
  return parse(bytes, header);
}

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::string_view kAddresses4("\xc0\x00\x02\x01\x0a\x00\x00\x01\x30\x39\x01\xbb", 12);

std::string v2(uint8_t command, uint8_t family, std::string_view payload) {
  std::string out(kSignature);
  out += static_cast<char>(command);
  out += static_cast<char>(family);
  put_be16(out, static_cast<uint16_t>(payload.size()));
  out += payload;
  return out;
}

std::string extension(uint8_t type, std::string_view value) {
  std::string out(1, static_cast<char>(type));
  put_be16(out, static_cast<uint16_t>(value.size()));
  out += value;
  return out;
}

}  // namespace

TEST_CASE("version_1_names_the_sender") {
  ProxyHeader header;
  CHECK(parse("PROXY TCP4 192.0.2.1 10.0.0.1 12345 443\r\nGET / HTTP/1.1\r\n", header) == State::complete);
  CHECK(header.source->to_string() == "192.0.2.1");
  CHECK(header.source_port == 12345);
  CHECK(header.bytes == 41);
  CHECK(parse("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n", header) == State::complete);
  CHECK(header.source->to_string() == "2001:db8::1");
}

TEST_CASE("version_1_unknown_leaves_the_peer") {
  ProxyHeader header;
  CHECK(parse("PROXY UNKNOWN\r\n", header) == State::complete);
  CHECK(!header.source);
  CHECK(header.bytes == 15);
  CHECK(parse("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", header) == State::complete);
  CHECK(!header.source);
}

TEST_CASE("every_cut_of_a_header_asks_for_more") {
  const std::string v2_header = v2(0x21, 0x11, kAddresses4);
  for (const std::string& whole : {std::string("PROXY TCP4 192.0.2.1 10.0.0.1 12345 443\r\n"), v2_header}) {
    for (size_t cut = 0; cut < whole.size(); ++cut) CHECK(parse(std::string_view(whole).substr(0, cut)) == State::need_more);
    CHECK(parse(whole) == State::complete);
  }
}

TEST_CASE("version_1_is_read_strictly") {
  for (const char* wrong : {
           "GET / HTTP/1.1\r\n",
           "PROXY  TCP4 192.0.2.1 10.0.0.1 12345 443\r\n",
           "proxy TCP4 192.0.2.1 10.0.0.1 12345 443\r\n",
           "PROXY TCP4 192.0.2.1 10.0.0.1 12345 443 \r\n",
           "PROXY TCP4 192.0.2.1 10.0.0.1 12345\r\n",
           "PROXY TCP5 192.0.2.1 10.0.0.1 12345 443\r\n",
           "PROXY TCP4 ::1 10.0.0.1 12345 443\r\n",
           "PROXY TCP6 192.0.2.1 10.0.0.1 12345 443\r\n",
           "PROXY TCP6 [::1] ::1 12345 443\r\n",
           "PROXY TCP4 192.0.2.01 10.0.0.1 12345 443\r\n",
           "PROXY TCP4 192.0.2.1 nonsense 12345 443\r\n",
           "PROXY TCP4 192.0.2.1 10.0.0.1 65536 443\r\n",
           "PROXY TCP4 192.0.2.1 10.0.0.1 012 443\r\n",
           "PROXY TCP4 192.0.2.1 10.0.0.1 +12 443\r\n",
           "PROXY UNKNOWNX\r\n",
       }) {
    CAPTURE(wrong);
    CHECK(parse(wrong) == State::refused);
  }
}

TEST_CASE("a_version_1_line_ends_within_its_limit") {
  const std::string longest = "PROXY UNKNOWN " + std::string(kMaxV1 - 16, 'x') + "\r\n";
  CHECK(longest.size() == kMaxV1);
  CHECK(parse(longest) == State::complete);
  CHECK(parse("PROXY UNKNOWN " + std::string(kMaxV1 - 15, 'x') + "\r\n") == State::refused);
  CHECK(parse("PROXY UNKNOWN " + std::string(kMaxV1, 'x')) == State::refused);
}

TEST_CASE("version_2_names_the_sender") {
  ProxyHeader header;
  CHECK(parse(v2(0x21, 0x11, kAddresses4) + "GET", header) == State::complete);
  CHECK(header.source->to_string() == "192.0.2.1");
  CHECK(header.source_port == 12345);
  CHECK(header.bytes == 28);
  std::string six(36, '\0');
  six[0] = 0x20, six[1] = 0x01, six[15] = 0x07;
  CHECK(parse(v2(0x21, 0x21, six), header) == State::complete);
  CHECK(header.source->to_string() == "2001::7");
}

TEST_CASE("version_2_local_and_unspecified_leave_the_peer") {
  ProxyHeader header;
  CHECK(parse(v2(0x20, 0x00, ""), header) == State::complete);
  CHECK(!header.source);
  CHECK(parse(v2(0x20, 0x11, kAddresses4), header) == State::complete);
  CHECK(!header.source);
  CHECK(parse(v2(0x21, 0x00, "anything"), header) == State::complete);
  CHECK(!header.source);
  CHECK(parse(v2(0x21, 0x31, std::string(216, 'u')), header) == State::complete);
  CHECK(!header.source);
}

TEST_CASE("version_2_is_read_strictly") {
  CHECK(parse(v2(0x11, 0x11, kAddresses4)) == State::refused);   // version 1 in a version 2 block
  CHECK(parse(v2(0x22, 0x11, kAddresses4)) == State::refused);   // unknown command
  CHECK(parse(v2(0x21, 0x12, kAddresses4)) == State::refused);   // UDP
  CHECK(parse(v2(0x21, 0x41, kAddresses4)) == State::refused);   // unknown family
  CHECK(parse(v2(0x21, 0x11, kAddresses4.substr(1))) == State::refused);
  CHECK(parse(v2(0x21, 0x21, kAddresses4)) == State::refused);
  CHECK(parse(v2(0x21, 0x11, std::string(kAddresses4) + "\x04")) == State::refused);          // half an extension
  CHECK(parse(v2(0x21, 0x11, std::string(kAddresses4) + std::string("\x04\x00\x05" "ab", 5))) == State::refused);
}

TEST_CASE("a_version_2_block_ends_within_its_limit") {
  const size_t room = kMaxV2 - 16 - kAddresses4.size() - 3;
  const std::string at_limit = std::string(kAddresses4) + extension(0x04, std::string(room, '\0'));
  CHECK(parse(v2(0x21, 0x11, at_limit)) == State::complete);
  CHECK(parse(v2(0x21, 0x11, std::string(kAddresses4) + extension(0x04, std::string(room + 1, '\0')))) == State::refused);
}

TEST_CASE("version_2_says_whether_the_sender_used_tls") {
  ProxyHeader header;
  CHECK(parse(v2(0x21, 0x11, std::string(kAddresses4) + extension(0x20, std::string("\x01\0\0\0\0", 5))), header) == State::complete);
  CHECK(header.tls);
  CHECK(parse(v2(0x21, 0x11, std::string(kAddresses4) + extension(0x20, std::string("\x00\0\0\0\0", 5))), header) == State::complete);
  CHECK(!header.tls);
  CHECK(parse(v2(0x21, 0x11, std::string(kAddresses4) + extension(0x20, "\x01"))) == State::refused);
}

TEST_CASE("a_wrong_checksum_is_refused") {
  std::string block = v2(0x21, 0x11, std::string(kAddresses4) + extension(0x03, std::string(4, '\0')));
  const uint32_t sum = crc32c(block);
  std::string bytes;
  put_be32(bytes, sum);
  block.replace(block.size() - 4, 4, bytes);
  CHECK(parse(block) == State::complete);
  block[17] = static_cast<char>(block[17] ^ 1);
  CHECK(parse(block) == State::refused);
}
