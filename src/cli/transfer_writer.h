// The NDJSON form of an export, format 1, written: one object a line, `kind` says of what; docs/moving.md lists the members. Texts
// that are not plain UTF-8 (bodies, answers of backends) stand in base64 under NAME_base64. Times are RFC 3339 in UTC, or whole
// milliseconds where a damaged clock left one that cannot be written so. Limits: a line is gathered in memory, and the lines of a
// piece are before they are written. One thread.
#pragma once

#include <cstdint>
#include <string>

#include "spool/export.h"

namespace belay::cli {

class TransferWriter final : public spool::ExportSink {
 public:
  // `file`: an open descriptor; stays the caller's. Without `bodies` those are left out.
  TransferWriter(int file, bool bodies) : file_(file), bodies_(bodies) {}

  void header(const spool::TransferHeader& header) override;
  void forgotten(const spool::ForgottenDeliveries& forgotten) override;
  void forgotten(const spool::ForgottenLines& forgotten) override;
  void client(const spool::TransferClient& client) override;
  void stop(const spool::Stop& stop) override;
  void message(const spool::TransferMessage& message) override;
  void line(const wire::Event& event) override;
  void claim(const spool::StoredClaim& claim) override;
  void act(const spool::Act& act) override;
  void trailer(const spool::TransferTrailer& trailer) override;
  Result<void> flush() override;

 private:
  void add(const std::string& line);
  const int file_;
  const bool bodies_;
  std::string pending_;
  uint32_t checksum_ = 0;  // CRC32C of all lines before
};

// Names in lines, both ways.
std::string_view group_name(wire::GroupKind kind);

}  // namespace belay::cli
