#include <doctest/doctest.h>

#include <cstdio>
#include <iterator>
#include <string>

#include "base/random.h"
#include "http/parser.h"

using namespace belay;
using namespace belay::http;

namespace {

struct Decoded {
  ParseState state = ParseState::need_more;
  std::string body;
  size_t consumed = 0;
  int status = 0;
  bool operator==(const Decoded&) const = default;
};

// Feeds pieces of at most `most` bytes, cut at random; 0: everything at once.
Decoded decode(std::string_view text, uint64_t max_body = 1 << 20, size_t most = 0, uint64_t seed = 1) {
  SeededRandom random(seed);
  ChunkedDecoder decoder(max_body);
  Decoded decoded;
  while (decoded.state == ParseState::need_more && decoded.consumed < text.size()) {
    const size_t piece = most == 0 ? text.size() : 1 + static_cast<size_t>(random.next() % most);
    size_t consumed = 0;
    decoded.state = decoder.decode(text.substr(decoded.consumed, piece), decoded.body, consumed);
    if (decoded.state == ParseState::refused) {
      CHECK(consumed == 0);
      decoded.consumed = 0;
      decoded.status = decoder.refusal().status;
      break;
    }
    decoded.consumed += consumed;
  }
  return decoded;
}

std::string chunked(SeededRandom& random, std::string& body) {
  std::string text;
  constexpr const char* kExtensions[] = {"", ";a", ";a=b", ";a=\"q;\\\"\"", "; a= b;c", ";a=\"\"", ";n=\"x y\t\""};
  for (size_t left = random.next() % 6; left > 0; --left) {
    const size_t size = 1 + random.next() % 40;
    char digits[16];
    snprintf(digits, sizeof digits, random.next() % 2 == 0 ? "%zx" : "%03zX", size);
    text.append(digits).append(kExtensions[random.next() % std::size(kExtensions)]).append("\r\n");
    for (size_t i = 0; i < size; ++i) {
      const char c = static_cast<char>(random.next());
      text.push_back(c);
      body.push_back(c);
    }
    text.append("\r\n");
  }
  text.append("0\r\n");
  if (random.next() % 2 == 0) text.append("X-Checksum: a b\r\nY:\r\n");
  return text.append("\r\n");
}

}  // namespace

TEST_CASE("chunked_bodies_decode_the_same_whole_and_in_random_pieces") {
  SeededRandom random(7);
  for (uint64_t round = 0; round < 500; ++round) {
    std::string body;
    const std::string text = chunked(random, body) + "next";
    const Decoded expected = decode(text);
    CAPTURE(text);
    CHECK(expected.state == ParseState::complete);
    CHECK(expected.body == body);
    CHECK(expected.consumed == text.size() - 4);
    CHECK(decode(text, 1 << 20, 1) == expected);
    CHECK(decode(text, 1 << 20, 7, round) == expected);
  }
}

TEST_CASE("damaged_chunked_bodies_are_judged_the_same_however_they_are_cut") {
  using namespace std::string_view_literals;
  constexpr std::string_view kBytes = "\r\n \t0aF;:=\"\\x\0-+"sv;
  SeededRandom random(11);
  size_t refused = 0;
  for (uint64_t round = 0; round < 2000; ++round) {
    std::string body;
    std::string text = chunked(random, body);
    text[random.next() % text.size()] = kBytes[random.next() % kBytes.size()];
    CAPTURE(text);
    const Decoded expected = decode(text);
    refused += expected.state == ParseState::refused ? 1 : 0;
    CHECK(decode(text, 1 << 20, 1) == expected);
    CHECK(decode(text, 1 << 20, 5, round) == expected);
  }
  CHECK(refused > 100);
}

TEST_CASE("malformed_chunk_framing_is_refused") {
  using namespace std::string_view_literals;
  for (const std::string_view text : {
           "\r\n"sv,
           "g\r\n"sv,
           " 3\r\nabc\r\n"sv,
           "3 \r\nabc\r\n"sv,
           "3 ;a\r\nabc\r\n"sv,
           "+3\r\n"sv,
           "0x3\r\n"sv,
           "3\nabc"sv,
           "3\r\rabc"sv,
           "3;\r\nabc"sv,
           "3;=b\r\n"sv,
           "3;a=\r\n"sv,
           "3;a=\"x\r\n"sv,
           "3;a=\"x\"y\r\n"sv,
           "3;a b\r\n"sv,
           "3;a=\"\\\r\n"sv,
           "3;a\0\r\n"sv,
           "3;(\r\n"sv,
           "3\r\nabcd\r\n"sv,
           "3\r\nabc\n"sv,
           "3\r\nabc\r\r"sv,
           "0000000000000003\r\n"sv,
           "1\r\na\r\n-0\r\n\r\n"sv,
           "0\r\nX\r\n\r\n"sv,
           "0\r\n: y\r\n\r\n"sv,
           "0\r\nX : y\r\n\r\n"sv,
           "0\r\n X: y\r\n\r\n"sv,
           "0\r\nX: y\n\r\n"sv,
           "0\r\n\n"sv,
           "0\r\n\r\r"sv,
           "0\r\nX: \0\r\n\r\n"sv,
           "0\r\nContent-Length: 3\r\n\r\n"sv,
           "0\r\ntransfer-encoding: chunked\r\n\r\n"sv,
           "0\r\nHost: a\r\n\r\n"sv,
       }) {
    CAPTURE(text);
    const Decoded decoded = decode(text);
    CHECK(decoded.state == ParseState::refused);
    CHECK(decoded.status == 400);
    CHECK(decode(text, 1 << 20, 1) == decoded);
  }
}

TEST_CASE("a_chunked_body_at_its_limit_passes_and_one_past_it_is_413_before_its_bytes_come") {
  CHECK(decode("5\r\nabcde\r\n5\r\nfghij\r\n0\r\n\r\n", 10).state == ParseState::complete);
  const Decoded over = decode("5\r\nabcde\r\n6\r\n", 10);
  CHECK(over.state == ParseState::refused);
  CHECK(over.status == 413);
  CHECK(decode("0\r\n\r\n", 0).state == ParseState::complete);
  CHECK(decode("fffffffffffffff\r\n", UINT64_MAX).state == ParseState::need_more);
}

TEST_CASE("chunk_framing_at_its_limits_passes_and_one_past_them_does_not") {
  const auto line = [](size_t bytes) { return "1;" + std::string(bytes - 4, 'x') + "\r\na\r\n0\r\n\r\n"; };
  CHECK(decode(line(ChunkedDecoder::kMaxLine)).state == ParseState::complete);
  CHECK(decode(line(ChunkedDecoder::kMaxLine + 1)).state == ParseState::refused);
  const auto trailers = [](size_t bytes) {
    std::string text = "0\r\n";
    for (; bytes >= 200; bytes -= 100) text += "X: " + std::string(95, 'x') + "\r\n";
    return text + "X: " + std::string(bytes - 7, 'x') + "\r\n\r\n";
  };
  CHECK(decode(trailers(ChunkedDecoder::kMaxTrailer)).state == ParseState::complete);
  CHECK(decode(trailers(ChunkedDecoder::kMaxTrailer + 1)).state == ParseState::refused);
}

TEST_CASE("chunk_framing_may_not_outweigh_the_body") {
  const auto chunks = [](size_t count, std::string_view extension) {
    std::string text;
    for (size_t i = 0; i < count; ++i) text.append("1").append(extension).append("\r\nx\r\n");
    return text.append("0\r\n\r\n");
  };
  CHECK(decode(chunks(100'000, "")).state == ParseState::complete);  // a byte a chunk is legal, if odd
  CHECK(decode(chunks(100'000, ";abcdefghij")).state == ParseState::complete);
  CHECK(decode(chunks(100'000, ";abcdefghijklmnopqrstuvwxyz")).state == ParseState::refused);
  CHECK(decode(chunks(4, ";" + std::string(4000, 'x'))).state == ParseState::complete);
  CHECK(decode(chunks(5, ";" + std::string(4000, 'x'))).state == ParseState::refused);
}

TEST_CASE("a_decoder_is_used_again_after_reset") {
  ChunkedDecoder decoder(1);
  std::string body;
  size_t consumed = 0;
  CHECK(decoder.decode("2\r\n", body, consumed) == ParseState::refused);
  decoder.reset(2);
  CHECK(decoder.decode("2\r\nab\r\n0\r\n\r\n", body, consumed) == ParseState::complete);
  CHECK(body == "ab");
}
