// RouteIndex: which conditions of a source can hold for a request, without evaluating all of them. Conditions that compare a plain
// value with texts (`$event.type == "a"`, rules::KeyTest) are found by that value; each such key is evaluated once a request.
// Built with the rules, const, shared by requests. Limits: kFewest, kLeastGain, kMaxKeys; what is beyond is evaluated every time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "rules/expression.h"

namespace belay::modules {

class RouteIndex {
 public:
  static constexpr size_t kFewest = 4;     // of fewer conditions each is evaluated: that costs less
  static constexpr size_t kLeastGain = 4;  // conditions that share a key
  static constexpr size_t kMaxKeys = 64;   // of one source, those of most conditions first

  // `conditions` of the routes in their order; null: always. They must outlive the index. Null when there is nothing to gain.
  static std::unique_ptr<const RouteIndex> make(std::span<const rules::Expression* const> conditions);

  struct Found {
    std::vector<uint32_t> candidates;  // the routes that may hold, ascending
    // Routes that do not hold because their key could not be read or is no text, each list ascending: only to say why.
    std::vector<std::span<const uint32_t>> unread;
    bool all = false;  // the payload cannot be read, which is an answer of its own: every route must be tried
  };
  // All other routes are false. Empties `found` first.
  void find(rules::Context& context, Found& found) const;

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  struct Key {
    std::unique_ptr<rules::Expression> expression;
    std::vector<uint32_t> routes;
    std::unordered_map<std::string, std::vector<uint32_t>, Hash, std::equal_to<>> by_literal;
  };
  class Maker;

  std::vector<Key> keys_;
  std::vector<uint32_t> always_;  // routes that no key decides
  bool reads_payload_ = false, reads_form_ = false;
};

}  // namespace belay::modules
