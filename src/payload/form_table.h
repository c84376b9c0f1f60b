// A query string or form body as a Table: first value of a name, every value in order, distinct names in order. Its pairs are
// sorted once by name, so that a sender's thousands of them cost no search through all for each, whatever the names (a hash
// of strings can be made to collide). Names stay as written: "a[b]" and "a[]" are names like any other. Owns its pairs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rules/value.h"

namespace belay::payload {

// The values as a list; an error value when the arena is full.
rules::Value list_of(const std::vector<rules::Value>& values, rules::Arena& arena);

class FormTable final : public rules::Table {
 public:
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  explicit FormTable(Pairs pairs);

  bool find(std::string_view name, rules::Arena& arena, rules::Value& out) const override;
  rules::Value all(std::string_view name, rules::Arena& arena) const override;
  size_t size() const override { return names().size(); }
  std::string_view name_at(size_t index) const override { return pairs_[names()[index]].first; }

 private:
  std::vector<uint32_t>::const_iterator first_of(std::string_view name) const;
  // The first pair of each name, in the order of the text.
  const std::vector<uint32_t>& names() const;

  Pairs pairs_;
  std::vector<uint32_t> sorted_;  // places in pairs_; those of one name in their order
  mutable std::vector<uint32_t> names_;
};

}  // namespace belay::payload
