// What the fields of a head say about its body and its connection, and what may pass (RFC 9112 §6, §9.3). Internal to
// http/. Stricter than the RFC where two readers could disagree: nothing is merged, preferred or repaired. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/message.h"
#include "http/parser.h"

namespace belay::http {

struct FieldFacts {
  std::string_view host;
  std::string_view content_length;
  std::string_view transfer_encoding;
  uint32_t hosts = 0;
  uint32_t content_lengths = 0;
  uint32_t transfer_encodings = 0;
  uint32_t connection_options = 0;
  bool close = false;  // Connection options
  bool keep_alive = false;
  bool expect_continue = false;
  bool expect_other = false;
};

// One walk over the fields.
FieldFacts read_facts(const Fields& fields);

// Length beyond which arithmetic on sizes would need care; no body of ours comes near it.
inline constexpr uint64_t kMaxContentLength = (uint64_t{1} << 62);

// Whoever passes a message on compares each option with each field; senders have one or two.
inline constexpr uint32_t kMaxConnectionOptions = 16;

// False with `refusal` filled in. The framing of a message with neither field is the caller's: none or close.
bool decide_framing(const FieldFacts& facts, int minor_version, Framing& framing, uint64_t& content_length,
                    Refusal& refusal);

bool decide_keep_alive(const FieldFacts& facts, int minor_version);

}  // namespace belay::http
