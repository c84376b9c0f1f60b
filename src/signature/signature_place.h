// Where a scheme's signature stands in a request and how its text is taken apart: a header (or several numbered ones), a query
// parameter, a form field, or any expression; after an auth scheme or prefix; one value, a list of values, a list of pairs, or
// several such lists. Compiled when rules load, const afterwards. Limits: kMaxSignatures values, kMaxParts other parts,
// kMaxText bytes. Failure: a reason that names the place, never its content.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conf/section.h"
#include "rules/expression.h"
#include "signature/work.h"

namespace belay::signature {

// What a request carries. Views into the request or into `owned`; also $signature, by the names of its parts.
struct GivenSignatures final : public rules::Table {
  static constexpr size_t kMaxSignatures = 16;
  static constexpr size_t kMaxParts = 8;

  bool find(std::string_view name, rules::Arena& arena, rules::Value& out) const override;

  std::array<std::string_view, kMaxSignatures> values;
  size_t count = 0;
  std::array<std::pair<std::string_view, std::string_view>, kMaxParts> parts;  // of a list: every pair that is no signature
  size_t part_count = 0;
  std::string_view timestamp;  // the list's pair or position that the scheme calls its timestamp; empty: none
};

class SignaturePlace {
 public:
  static constexpr size_t kMaxText = 16 << 10;
  static constexpr size_t kMaxGroups = 8;

  // Null with problems recorded. `timestamp_name`: the pair or position that holds the timestamp; empty when it is
  // elsewhere.
  static std::unique_ptr<SignaturePlace> build(const conf::Node& node, std::string_view timestamp_name,
                                               const rules::Names& names, const Params& params, conf::Problems& problems);

  // The text that holds the signatures: empty when it is there once, else the reason. `owned` backs what is decoded.
  std::string_view locate(Work& work, std::string_view& text, std::string& owned) const;
  // The next list of several (`group`), taken off `text`; all of it without one.
  std::string_view next_group(std::string_view& text) const;
  // Empty when at least one value was found, else the reason.
  std::string_view read(std::string_view text, GivenSignatures& out) const;
  // Values of numbered headers ("X-Signature-*"); the text of locate() is the first one's.
  bool is_numbered() const { return numbered_; }
  std::string_view read_numbered(const http::Fields& fields, GivenSignatures& out) const;

  // The other way round, for signing: what a header or parameter of these parts looks like.
  std::string compose(std::string_view signature, std::string_view timestamp) const;
  // Parts that a sender adds beside signature and time ("env=…"), as sign() writes them.
  const std::vector<std::pair<std::string, std::string>>& also() const { return also_; }

  enum class Kind : uint8_t { header, query, form, expression };
  Kind kind() const { return kind_; }
  std::string name() const;  // of the header or parameter to write
  const rules::Expression* expression() const { return expression_.get(); }

 private:
  SignaturePlace() = default;
  bool read_where(const conf::Section& section, const rules::Names& names, conf::Problems& problems);
  void check_shape(const conf::Section& section, conf::Problems& problems) const;
  bool take_entry(std::string_view entry, size_t index, GivenSignatures& out) const;

  Kind kind_ = Kind::header;
  bool numbered_ = false;  // name_ is the part before the number
  std::string name_;
  std::unique_ptr<rules::Expression> expression_;
  std::string scheme_, prefix_, group_, list_, pair_, take_, timestamp_name_;
  std::vector<std::string> positional_;
  std::vector<std::pair<std::string, std::string>> also_;
  std::string missing_, repeated_, malformed_;  // reasons, made once
};

}  // namespace belay::signature
