#include "payload/form_table.h"

#include <algorithm>
#include <numeric>

namespace belay::payload {

using rules::Arena;
using rules::Value;

Value list_of(const std::vector<Value>& values, Arena& arena) {
  auto* room = arena.array<Value>(values.size());
  if (room == nullptr)
    return Value::failed(rules::Fault::budget, "too much memory for one request's expressions", arena);
  std::copy(values.begin(), values.end(), room);
  return Value::list({room, values.size()});
}

FormTable::FormTable(Pairs pairs) : pairs_(std::move(pairs)), sorted_(pairs_.size()) {
  std::iota(sorted_.begin(), sorted_.end(), 0U);
  std::stable_sort(sorted_.begin(), sorted_.end(), [this](uint32_t a, uint32_t b) { return pairs_[a].first < pairs_[b].first; });
}

bool FormTable::find(std::string_view name, Arena&, Value& out) const {
  const auto at = first_of(name);
  if (at == sorted_.end() || pairs_[*at].first != name) return false;
  out = Value::string(pairs_[*at].second);
  return true;
}

Value FormTable::all(std::string_view name, Arena& arena) const {
  std::vector<Value> values;
  for (auto at = first_of(name); at != sorted_.end() && pairs_[*at].first == name; ++at) {
    values.push_back(Value::string(pairs_[*at].second));
  }
  return list_of(values, arena);
}

std::vector<uint32_t>::const_iterator FormTable::first_of(std::string_view name) const {
  return std::lower_bound(sorted_.begin(), sorted_.end(), name,
                          [this](uint32_t pair, std::string_view wanted) { return pairs_[pair].first < wanted; });
}

const std::vector<uint32_t>& FormTable::names() const {
  if (!names_.empty()) return names_;
  for (size_t i = 0; i < sorted_.size(); ++i) {
    if (i == 0 || pairs_[sorted_[i]].first != pairs_[sorted_[i - 1]].first) names_.push_back(sorted_[i]);
  }
  std::sort(names_.begin(), names_.end());
  return names_;
}

}  // namespace belay::payload
