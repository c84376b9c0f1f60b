// HTTP Message Signatures (RFC 9421) with Content-Digest (RFC 9530): the sender lists what it signed, the rules list what must
// be among it. The algorithm is the rules' choice, never the request's.
//   verify: { algorithm: rfc9421, signature: { algorithm: ed25519, components: ["@method", "@target-uri", content-digest],
//             tolerance: 5m }, key: signing }
// Limits: kMaxMembers signatures and components. Failure: a reason.
#pragma once

#include <memory>

#include "signature/check.h"
#include "signature/keys.h"
#include "signature/public_prover.h"
#include "signature/structured_fields.h"

namespace belay::signature {

class HttpSignatureCheck final : public Check {
 public:
  static std::unique_ptr<Check> build(const conf::Node& node, const Keyring& keyring, const conf::Position& where,
                                      conf::Problems& problems, std::span<const conf::Setting> beside = {});

  Finding check(Work& work) const override;
  Result<bool> sign(Draft& draft, const Keyring& keyring, const std::string& url, WallTime now,
                    KeySource* keys) const override;
  Trust trust() const override;
  bool can_sign() const override { return !ring_.is_published(); }
  bool proves() const override { return true; }
  bool tells_replays() const override { return requires_component("content-digest"); }
  bool conditional() const override { return when_ != nullptr; }
  bool reads_url() const override { return true; }
  bool covers_url() const override { return requires_component("@target-uri") || requires_component("@authority"); }
  bool dates_with(std::string_view) const override { return false; }
  std::string timestamp_of(Work& work) const override;

 private:
  HttpSignatureCheck() = default;
  void read_signature(const conf::Node& node, conf::Problems& problems);
  bool requires_component(std::string_view name) const;
  std::string_view check_parameters(const Member& input, WallTime now) const;
  Finding prove(Work& work, const Member& input, std::string_view signature) const;
  // False when a component is not there, or is of a kind we do not know.
  static bool compose(Work& work, const std::vector<ListItem>& items, std::string_view parameters, std::string& out);
  static bool component(Work& work, const ListItem& item, std::string& out);

  std::unique_ptr<rules::Expression> when_;
  std::string algorithm_, label_, tag_;
  std::vector<std::string> components_;
  Duration tolerance_{};  // 0: `created` is not judged
  std::optional<PublicAlgorithm> public_;  // absent: hmac-sha256
  KeyRing ring_;
  std::vector<MacKey> keys_;
};

// "" when the digests of a Content-Digest field are those of the body, at least one of them known; else the reason.
std::string_view check_content_digest(std::string_view field, std::string_view body);
std::string content_digest(std::string_view body);

}  // namespace belay::signature
