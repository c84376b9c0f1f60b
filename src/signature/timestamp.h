// The time a sender signed: where it stands, its unit, and how far from now it may be. Compiled when rules load. Pure
// apart from reading the request.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "conf/section.h"
#include "payload/request_context.h"
#include "rules/expression.h"
#include "signature/work.h"

namespace belay::signature {

class TimestampRule {
 public:
  // text: whatever stands there; never judged.
  enum class Unit : uint8_t { seconds, milliseconds, iso8601, text };

  // Null with problems recorded.
  static std::unique_ptr<TimestampRule> build(const conf::Node& node, const rules::Names& names,
                                              conf::Problems& problems);

  // Finds the text and judges it: empty when it is there, readable and inside the tolerance, else the reason.
  // `signed_part` is what the signature's own list gave (timestamp.signature). `owned` backs `text` for expressions.
  std::string_view check(Work& work, std::string_view signed_part, std::string_view& text, std::string& owned) const;

  // The first half of check(): empty when the text is there once, else the reason.
  std::string_view find(Work& work, std::string_view signed_part, std::string_view& text, std::string& owned) const;

  // `now` as the sender would write it.
  std::string write(WallTime now) const;

  const std::string& signature_part() const { return signature_part_; }  // empty unless it stands in the signature
  const std::string& header() const { return header_; }
  const rules::Expression* expression() const { return expression_.get(); }
  bool in_payload() const { return expression_ != nullptr && expression_->reads_payload(); }
  bool judges() const { return tolerance_.count() > 0; }

 private:
  TimestampRule() = default;
  std::string signature_part_, header_;
  std::unique_ptr<rules::Expression> expression_;
  Unit unit_ = Unit::seconds;
  Duration tolerance_{}, future_{};  // how old, and how far ahead; 0: the time is not judged
  std::string missing_, repeated_;
};

// Digits of the unit, or RFC 3339; nullopt for anything else.
std::optional<WallTime> read_timestamp(std::string_view text, TimestampRule::Unit unit);

}  // namespace belay::signature
