// Walks a store piece by piece and says what is wrong: records that do not match their checksum or their form, and references that
// lead nowhere: delivery ↔ message, delivery ↔ due time, end, expiry, group; body ↔ chunks; claim ↔ its end. What belongs together is
// read in one snapshot, which is renewed after kPiece records, so a store in use is judged fairly. Read only; one thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "spool/environment.h"
#include "spool/offline.h"
#include "spool/record.h"
#include "spool/tables.h"

namespace belay::spool {

class Checker {
 public:
  static constexpr uint32_t kPiece = 2'000;

  Checker(lmdb::Environment& environment, const Tables& tables);

  bool step();  // true: all is walked
  uint64_t done() const { return done_; }
  uint64_t all() const { return all_; }
  const CheckReport& report() const { return report_; }

 private:
  using Look = void (Checker::*)(std::string_view key, std::string_view value);
  struct Walk {
    lmdb::Table table;
    Look look;
  };

  void message(std::string_view key, std::string_view value);
  void chunk(std::string_view key, std::string_view value);
  void delivery(std::string_view key, std::string_view value);
  void due(std::string_view key, std::string_view value);
  void ended(std::string_view key, std::string_view value);
  void expiry(std::string_view key, std::string_view value);
  void group(std::string_view key, std::string_view value);
  void member(std::string_view key, std::string_view value);
  void block(std::string_view key, std::string_view value);
  void claim(std::string_view key, std::string_view value);
  void claim_end(std::string_view key, std::string_view value);
  void kept(std::string_view key, std::string_view value);
  void sealed(std::string_view key, std::string_view value);
  void set_aside(std::string_view key, std::string_view value);

  void body(const MessageId& id, uint16_t shape, uint64_t bytes);
  void turn(const Delivery& delivery, const std::string& name);
  std::optional<Delivery> find(std::string_view key);
  void wrong(std::string what);

  const Tables& tables_;
  std::vector<Walk> walks_;
  lmdb::ReadTransaction transaction_;
  size_t walk_ = 0;
  std::string at_;
  uint64_t done_ = 0, all_ = 0;
  CheckReport report_;
};

}  // namespace belay::spool
