#include "wire/frame.h"

#include <doctest/doctest.h>

#include "tests/unit/wire/samples.h"

namespace belay::wire {

namespace {

TEST_CASE("frames_come_back_one_by_one_from_one_buffer") {
  SeededRandom random(1);
  std::string buffer;
  std::vector<std::string> payloads;
  for (uint32_t i = 0; i < 50; ++i) {
    payloads.push_back(test::bytes(random, 3000));
    append_frame(buffer, FrameType::put, i, payloads.back());
  }
  std::string_view rest = buffer;
  for (uint32_t i = 0; i < 50; ++i) {
    size_t consumed = 0;
    auto frame = next_frame(rest, consumed);
    REQUIRE(frame.ok());
    REQUIRE(frame->has_value());
    CHECK((*frame)->type == FrameType::put);
    CHECK((*frame)->sequence == i);
    CHECK((*frame)->payload == payloads[i]);
    rest.remove_prefix(consumed);
  }
  CHECK(rest.empty());
}

TEST_CASE("a_frame_that_has_not_all_arrived_is_waited_for") {
  std::string buffer;
  append_frame(buffer, FrameType::events, 9, "payload");
  for (size_t length = 0; length < buffer.size(); ++length) {
    size_t consumed = 0;
    auto frame = next_frame(std::string_view(buffer).substr(0, length), consumed);
    REQUIRE(frame.ok());
    CHECK_FALSE(frame->has_value());
    CHECK(consumed == 0);
  }
}

TEST_CASE("a_flipped_bit_anywhere_never_gives_a_frame") {
  std::string whole;
  append_frame(whole, FrameType::put, 3, "some payload of a put");
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    size_t consumed = 0;
    auto frame = next_frame(damaged, consumed);  // a longer length waits for more, everything else is an error
    CHECK((!frame.ok() || !frame->has_value()));
  }
}

TEST_CASE("a_length_over_the_limit_is_refused_before_its_bytes_arrive") {
  std::string head;
  append_frame(head, FrameType::put, 1, "");
  head[8] = 0x02;  // 32 MB
  head[11] = 0x01; // and one byte
  size_t consumed = 0;
  CHECK_FALSE(next_frame(head, consumed).ok());
  head[11] = 0;
  auto at_limit = next_frame(head, consumed);
  REQUIRE(at_limit.ok());
  CHECK_FALSE(at_limit->has_value());
}

TEST_CASE("another_frame_version_is_refused_with_both_versions") {
  std::string head;
  append_frame(head, FrameType::hello, 1, "");
  head[3] = kVersion + 1;
  size_t consumed = 0;
  auto frame = next_frame(head, consumed);
  REQUIRE_FALSE(frame.ok());
  CHECK(frame.error().message.find("version " + std::to_string(kVersion + 1)) != std::string::npos);
}

TEST_CASE("what_is_not_a_frame_is_refused_at_its_first_bytes") {
  size_t consumed = 0;
  CHECK_FALSE(next_frame("GET / HTTP/1.1\r\n", consumed).ok());
  CHECK_FALSE(next_frame("GE", consumed).ok());
}

}  // namespace

}  // namespace belay::wire
