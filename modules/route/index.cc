#include "modules/route/index.h"

#include <algorithm>
#include <set>

namespace belay::modules {

// Gives every condition the one of its key tests that tells most routes apart.
class RouteIndex::Maker {
 public:
  using Tests = std::vector<rules::KeyTest>;

  explicit Maker(std::span<const rules::Expression* const> conditions) : conditions_(conditions) {
    for (const rules::Expression* condition : conditions_) {
      if (condition != nullptr) count(condition->key_tests());
    }
    rank();
  }

  std::unique_ptr<const RouteIndex> make() {
    auto index = std::make_unique<RouteIndex>();
    for (const std::string_view key : ranked_) {
      conf::Problems problems;  // the text is a part of a condition that compiled
      index->keys_.push_back({rules::Expression::compile(key, {}, rules::Names::request(), problems), {}, {}});
      if (index->keys_.back().expression == nullptr) return nullptr;
    }
    for (uint32_t route = 0; route < conditions_.size(); ++route) add(*index, route);
    for (const rules::Expression* condition : conditions_) {
      index->reads_payload_ |= condition != nullptr && condition->reads_payload();
      index->reads_form_ |= condition != nullptr && condition->reads(rules::Variable::form);
    }
    return index->always_.size() + kLeastGain <= conditions_.size() ? std::move(index) : nullptr;
  }

 private:
  struct Use {
    size_t conditions = 0;
    std::unordered_map<std::string_view, size_t> by_literal;
    size_t rank = kMaxKeys;  // below kMaxKeys: it has an index
  };

  void count(const Tests& tests) {
    for (const rules::KeyTest& test : tests) {
      Use& use = uses_[test.key];
      ++use.conditions;
      for (const std::string& literal : test.literals) ++use.by_literal[literal];
    }
  }

  void rank() {
    for (const auto& [key, use] : uses_) {
      if (use.conditions >= kLeastGain) ranked_.push_back(key);
    }
    std::sort(ranked_.begin(), ranked_.end(), [this](std::string_view a, std::string_view b) {
      const size_t of_a = uses_[a].conditions, of_b = uses_[b].conditions;
      return of_a != of_b ? of_a > of_b : a < b;
    });
    ranked_.resize(std::min(ranked_.size(), kMaxKeys));
    for (size_t i = 0; i < ranked_.size(); ++i) uses_[ranked_[i]].rank = i;
  }

  // How many routes a webhook has to look at that carries one of the test's literals.
  size_t crowd(const rules::KeyTest& test) {
    Use& use = uses_[test.key];
    size_t most = 0;
    for (const std::string& literal : test.literals) most = std::max(most, use.by_literal[literal]);
    return most;
  }

  void add(RouteIndex& index, uint32_t route) {
    const rules::KeyTest* best = nullptr;
    size_t least = 0;
    if (conditions_[route] != nullptr) {
      for (const rules::KeyTest& test : conditions_[route]->key_tests()) {
        if (uses_[test.key].rank == kMaxKeys) continue;
        const size_t now = crowd(test);
        if (best != nullptr && now >= least) continue;
        best = &test;
        least = now;
      }
    }
    if (best == nullptr) return index.always_.push_back(route);
    Key& key = index.keys_[uses_[best->key].rank];
    key.routes.push_back(route);
    for (const std::string& literal : std::set<std::string>(best->literals.begin(), best->literals.end())) {
      key.by_literal[literal].push_back(route);
    }
  }

  std::span<const rules::Expression* const> conditions_;
  std::unordered_map<std::string_view, Use> uses_;
  std::vector<std::string_view> ranked_;
};

std::unique_ptr<const RouteIndex> RouteIndex::make(std::span<const rules::Expression* const> conditions) {
  return conditions.size() < kFewest ? nullptr : Maker(conditions).make();
}

void RouteIndex::find(rules::Context& context, Found& found) const {
  found.candidates.assign(always_.begin(), always_.end());
  found.unread.clear();
  found.all = false;
  bool sorted = true;
  for (const Key& key : keys_) {
    if (key.routes.empty()) continue;
    const rules::Value read = key.expression->run(context);
    const rules::Value value = read.is_error() ? read : read.plain(context.arena());
    if (value.kind() == rules::Kind::null) continue;
    if (value.kind() != rules::Kind::string) {
      found.unread.emplace_back(key.routes);
      continue;
    }
    const auto routes = key.by_literal.find(value.text());
    if (routes == key.by_literal.end()) continue;
    sorted = sorted && found.candidates.empty();
    found.candidates.insert(found.candidates.end(), routes->second.begin(), routes->second.end());
  }
  if (!found.unread.empty()) {
    found.all = (reads_payload_ && context.root().is_error()) || (reads_form_ && context.variable(rules::Variable::form).is_error());
  }
  if (!sorted) std::sort(found.candidates.begin(), found.candidates.end());
}

}  // namespace belay::modules
