// The NDJSON form of an export (transfer_writer.h), read strictly: a line that says less, more or something else than the form
// knows is an error which names it and what to write. Limits: kMaxTransferLine, and those of the JSON reader. Pure.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "spool/transfer.h"

namespace belay::cli {

// A stored message fits into a frame of the wire; escaped or in base64 it is less than this.
inline constexpr size_t kMaxTransferLine = size_t{256} << 20;

struct ReadTrailer {
  spool::TransferTrailer trailer;
  uint32_t checksum = 0;
};

using TransferPart = std::variant<spool::TransferHeader, spool::TransferMessage, wire::Event, spool::StoredClaim, spool::Stop, spool::Act,
                                  spool::TransferClient, spool::ForgottenDeliveries, spool::ForgottenLines, ReadTrailer>;
Result<TransferPart> read_transfer_line(std::string_view line);

}  // namespace belay::cli
