// JSON Web Tokens signed with a shared secret: HS256, HS384, HS512 (RFC 7519, RFC 7515, RFC 7518 §3.2). The rules
// decide which algorithms are taken, never the token; "none" cannot be written in them. Limits: kMaxToken bytes.
// Failure: a reason.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "json/document.h"
#include "signature/keys.h"

namespace belay::signature {

class JwtRule {
 public:
  static constexpr size_t kMaxToken = 16 << 10;

  // Of `verify.jwt` or `auth.jwt`; `secret` holds the key bytes. Null with problems recorded.
  static std::unique_ptr<JwtRule> build(const conf::Node& node, const conf::Secret& secret, conf::Problems& problems);

  // Empty when the token is valid at `now`, else the reason.
  std::string_view check(std::string_view token, WallTime now) const;

  // A token these rules accept, for `belay sign`.
  std::string make(WallTime now) const;

 private:
  struct Algorithm {
    std::string name;  // "HS256"
    std::vector<MacKey> keys;
  };
  JwtRule() = default;
  const Algorithm* algorithm_of(std::string_view header) const;
  std::string_view check_claims(std::string_view text, WallTime now) const;
  std::string_view check_times(const json::Document& claims, WallTime now) const;

  std::vector<Algorithm> algorithms_;
  std::vector<std::string> issuers_, audiences_, required_;
  Duration leeway_{};
};

}  // namespace belay::signature
