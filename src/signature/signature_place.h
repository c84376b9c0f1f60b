// Where a scheme's signature stands in a request and how its text is taken apart: a header, a query parameter or a
// payload field; after an auth scheme or prefix; one value, a list of values, or a list of pairs. Compiled when rules
// load, const afterwards. Limits: kMaxSignatures values, kMaxText bytes. Failure: a reason that names the place, never
// its content.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "conf/section.h"
#include "payload/request_context.h"
#include "rules/expression.h"

namespace belay::signature {

// What a request carries. Views into the request or into `owned`.
struct GivenSignatures {
  static constexpr size_t kMaxSignatures = 16;

  std::array<std::string_view, kMaxSignatures> values;
  size_t count = 0;
  std::string_view timestamp;  // the list's pair or position that the scheme calls its timestamp; empty: none
  std::string owned;
};

class SignaturePlace {
 public:
  static constexpr size_t kMaxText = 16 << 10;

  // Null with problems recorded. `timestamp_name`: the pair or position that holds the timestamp; empty when it is
  // elsewhere.
  static std::unique_ptr<SignaturePlace> build(const conf::Node& node, std::string_view timestamp_name,
                                               conf::Problems& problems);

  // Empty when at least one value was found, else the reason.
  std::string_view read(payload::RequestContext& context, GivenSignatures& out) const;

  // The other way round, for signing: what a header or parameter of these parts looks like.
  std::string compose(std::string_view signature, std::string_view timestamp) const;

  enum class Kind : uint8_t { header, query, payload };
  Kind kind() const { return kind_; }
  const std::string& name() const { return name_; }  // of the header or parameter; the expression's text

 private:
  SignaturePlace() = default;
  std::string_view locate(payload::RequestContext& context, GivenSignatures& out, std::string_view& text) const;
  std::string_view take_apart(std::string_view text, GivenSignatures& out) const;
  bool take_entry(std::string_view entry, size_t index, GivenSignatures& out) const;

  Kind kind_ = Kind::header;
  std::string name_;
  std::unique_ptr<rules::Expression> payload_;
  std::string scheme_, prefix_, list_, pair_, take_, timestamp_name_;
  std::vector<std::string> positional_;
  std::string missing_, repeated_, malformed_;  // reasons, made once
};

}  // namespace belay::signature
