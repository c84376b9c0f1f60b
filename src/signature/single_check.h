// A check that finds signatures in one place and has a prover judge them: what `verify` of rules.md says. Cheapest first:
// condition, presence, form, time, then the arithmetic. With `each`, once for every element of a list of the payload.
// Limits: kMaxAlternatives texts, kMaxEach elements, and those of its parts.
#pragma once

#include <memory>

#include "rules/expression.h"
#include "signature/check.h"
#include "signature/prover.h"
#include "signature/signature_place.h"
#include "signature/timestamp.h"

namespace belay::signature {

class SingleCheck final : public Check {
 public:
  static constexpr size_t kMaxAlternatives = 4;
  static constexpr size_t kMaxEach = 1000;

  // `timestamp`: of the checks around this one, used when it has none of its own. Null with problems recorded.
  static std::unique_ptr<Check> build(const conf::Node& node, const conf::Node& timestamp, const Keyring& keyring,
                                      const conf::Position& where, conf::Problems& problems,
                                      std::span<const conf::Setting> beside = {});

  Finding check(Work& work) const override;
  Result<bool> sign(Draft& draft, const Keyring& keyring, const std::string& url, WallTime now,
                    KeySource* keys) const override;
  Trust trust() const override { return trust_; }
  bool can_sign() const override;
  bool proves() const override { return prover_->proves(); }
  // Elements of a list can come again in another company.
  bool tells_replays() const override { return prover_->tells_replays() && !each_; }
  bool conditional() const override { return when_ != nullptr; }
  bool reads_url() const override { return reads_url_; }
  bool dates_with(std::string_view field) const override;
  std::string timestamp_of(Work& work) const override;

 private:
  SingleCheck() = default;
  bool read_over(const conf::Node& node, const rules::Names& names, conf::Problems& problems);
  void collect();
  void add_signed(const rules::Lookup& lookup);
  void compute_trust(std::string_view covers);
  bool applies(Work& work) const;
  std::string_view each_item(Work& work, std::vector<rules::Value>& items) const;
  Result<void> sign_payload(Draft& draft, Work& work) const;
  Result<std::string> make_one(Work& work) const;
  std::string_view find_repeated(const payload::RequestView& request) const;
  Finding check_each(Work& work) const;
  Finding check_one(Work& work) const;
  Finding check_group(Work& work, std::string_view text) const;

  std::unique_ptr<rules::Expression> when_, each_;
  std::unique_ptr<SignaturePlace> place_;
  std::unique_ptr<TimestampRule> timestamp_;
  Overs overs_;
  std::vector<rules::Lookup> signed_names_;  // headers, parameters and form fields that its expressions name, each once
  std::unique_ptr<Prover> prover_;
  Trust trust_ = Trust::token;
  bool reads_url_ = false;
};

}  // namespace belay::signature
