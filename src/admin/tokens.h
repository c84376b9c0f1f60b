// Who may call the admin API: named tokens, each with a role and perhaps several values (rotation). Values are kept and compared as
// SHA-256 digests, all of them in constant time, so that how long a refusal takes tells nothing about any of them. Built from the
// main file, replaced as a whole by a reload. One thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "admin/route.h"
#include "base/clock.h"
#include "base/sha256.h"
#include "conf/configuration.h"

namespace belay::admin {

struct Caller {
  std::string name = "nobody";  // of the token: who did something, in the audit log and in what stays
  Role role = Role::nobody;
};

class Tokens {
 public:
  Tokens() = default;
  explicit Tokens(const std::vector<conf::AdminToken>& tokens);

  bool empty() const { return values_.empty(); }
  // Of a request's Authorization ("Bearer TOKEN"), null when it has none; nothing when no token that is valid at `now` is in it.
  std::optional<Caller> caller(const std::string* header, WallTime now) const;
  // The same for a token by its digest: whether a long call may go on.
  std::optional<Caller> caller(const Sha256& digest, WallTime now) const;
  static std::optional<Sha256> digest_of(const std::string* header);

 private:
  struct Value {
    Sha256 digest;
    size_t owner;
    std::optional<WallTime> from, until;
  };
  std::vector<Caller> callers_;
  std::vector<Value> values_;
};

}  // namespace belay::admin
