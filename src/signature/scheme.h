// A signature scheme: what `verify` of rules.md says, compiled with the secrets of one source. Checks run cheapest
// first: presence, form, timestamp, then the MAC over every alternative and with every secret that is valid now;
// comparison is in constant time. A body is never copied. Const after build(), used by one thread at a time (its MACs
// keep scratch state). Failure: a reason that names what is wrong, never what was expected.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "payload/request_context.h"
#include "signature/jwt.h"
#include "signature/keys.h"
#include "signature/signature_place.h"
#include "signature/timestamp.h"
#include "signature/trust.h"
#include "rules/template.h"

namespace belay::signature {

class Scheme {
 public:
  static constexpr size_t kMaxAlternatives = 4;

  // `where` is the place to name when a secret is missing or cannot be a key. Null with problems recorded.
  static std::unique_ptr<Scheme> build(const conf::Node& node, const SecretTable& secrets, const conf::Position& where,
                                       conf::Problems& problems);

  // Empty when the request is genuine at `now`, else the reason.
  std::string_view check(payload::RequestContext& context, WallTime now) const;

  // $ts of a request, as its sender wrote it and not judged; empty when there is none.
  std::string timestamp_of(payload::RequestContext& context) const;

  Trust trust() const { return trust_; }

  // What a sender adds to the request: header fields, and a query parameter ("k=…") for schemes that have
  // one.
  struct Signed {
    std::vector<std::pair<std::string, std::string>> fields;
    std::string query;
  };
  // Headers that the scheme signs and the request lacks are made up (ids). Refused when the proof stands in the payload
  // and is not right there already.
  Result<Signed> sign(payload::RequestContext& request, WallTime now) const;

 private:
  enum class Algorithm : uint8_t { hmac, equal, jwt };
  enum class Encoding : uint8_t { hex, base64, base64url };

  Scheme() = default;
  bool read_over(const conf::Node& node, conf::Problems& problems);
  void compute_trust();
  std::string_view check_mac(payload::RequestContext& context, const GivenSignatures& given, std::string_view timestamp,
                             WallTime now) const;
  bool feed(const rules::Template& over, const Mac& mac, payload::RequestContext& context, std::string_view timestamp,
            WallTime now) const;
  bool decode(std::string_view text, size_t size, char* out) const;
  std::string encode(std::string_view bytes) const;
  void collect_signed_headers();
  Result<std::string> proof(payload::RequestContext& context, std::string_view timestamp, WallTime now) const;

  Algorithm algorithm_ = Algorithm::hmac;
  Encoding encoding_ = Encoding::hex;
  std::unique_ptr<SignaturePlace> place_;
  std::unique_ptr<TimestampRule> timestamp_;
  std::vector<std::unique_ptr<rules::Template>> overs_;
  std::vector<std::string> signed_headers_;  // named in overs_; the timestamp's own is its rule's matter
  std::vector<MacKey> keys_;      // hmac
  conf::Secret secret_;           // equal
  std::unique_ptr<JwtRule> jwt_;  // jwt
  SecretTable secrets_;           // $secret
  Trust trust_ = Trust::token;
};

}  // namespace belay::signature
