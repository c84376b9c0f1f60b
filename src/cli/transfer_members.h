// The members of one object of an export's line, each asked for once and by its type. The first thing that is wrong is kept, with
// where it stands and what to write; after it everything reads as empty. A member that nobody asked for is wrong, too. The document
// outlives it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"
#include "cli/human.h"
#include "cli/json_view.h"
#include "json/number.h"

namespace belay::cli {

class Members {
 public:
  static constexpr size_t kLongestName = 60;  // of a name in an error

  Members(const JsonView& object, std::string where, std::optional<Error>& wrong) : where_(std::move(where)), wrong_(wrong) {
    if (!object.raw().starts_with("{")) fail("is no object; write { … }");
    else for (auto& [name, value] : object.members()) members_.push_back({std::move(name), value, false});
  }

  bool has(std::string_view name) const {
    return std::any_of(members_.begin(), members_.end(), [&](const Member& one) { return one.name == name; });
  }
  std::string text(std::string_view name) {
    const JsonView value = take(name, "text");
    if (value.present() && !value.raw().starts_with("\"")) fail(fmt::format("'{}' is no text; write it in quotes", name));
    return value.text();
  }
  // Also as NAME_base64.
  std::string bytes(std::string_view name, bool required = false) {
    const std::string coded = fmt::format("{}_base64", name);
    if (has(name) && has(coded)) fail(fmt::format("'{}' and '{}' exclude each other; leave one out", name, coded));
    if (has(coded)) {
      auto decoded = base64_decode(text(coded));
      if (!decoded) fail(fmt::format("'{}' is no base64", coded));
      return decoded.value_or("");
    }
    return has(name) || required ? text(name) : std::string();
  }
  uint64_t number(std::string_view name, uint64_t most = std::numeric_limits<uint64_t>::max(), bool required = true) {
    if (!required && !has(name)) return 0;
    const JsonView value = take(name, "a whole number");
    if (!value.present()) return 0;
    const auto number = is_number(value) ? json::to_uint64(value.raw()) : std::nullopt;
    if (!number || *number > most) fail(fmt::format("'{}' is no whole number from 0 to {}", name, most));
    return number.value_or(0);
  }
  int64_t milliseconds(std::string_view name) { return static_cast<int64_t>(number(name, std::numeric_limits<int64_t>::max(), false)); }
  bool flag(std::string_view name, bool otherwise = false) {
    if (!has(name)) return otherwise;
    const JsonView value = take(name, "true or false");
    if (value.raw() != "true" && value.raw() != "false") fail(fmt::format("'{}' is not true or false", name));
    return value.boolean();
  }
  WallTime time(std::string_view name, bool required = true) {
    if (!required && !has(name)) return {};
    const JsonView value = take(name, "a time");
    if (!value.present()) return {};
    const auto ms = is_number(value) ? json::to_int64(value.raw()) : std::nullopt;
    if (ms) return wall_from_ms(*ms);
    const auto time = read_time(value.text());
    if (!time) fail(fmt::format("'{}' is no time; write 2026-01-31T09:30:00.000Z", name));
    return time.value_or(WallTime{});
  }
  MessageId id(std::string_view name, bool required = true) {
    if (!required && !has(name)) return {};
    const auto id = MessageId::parse(text(name));
    if (!id || id->empty()) fail(fmt::format("'{}' is no message id; write its 36 characters", name));
    return id.value_or(MessageId{});
  }
  std::array<uint8_t, 16> hex(std::string_view name) {
    std::array<uint8_t, 16> key{};
    const auto decoded = hex_decode(text(name));
    if (!decoded || decoded->size() != key.size()) fail(fmt::format("'{}' is not 32 hexadecimal digits", name));
    else std::copy(decoded->begin(), decoded->end(), key.begin());
    return key;
  }
  // One of the words that `to_word` gives for first to last.
  template <typename Enum, typename ToWord>
  Enum word(std::string_view name, Enum first, Enum last, ToWord to_word) {
    const std::string given = text(name);
    std::string all;
    for (int i = static_cast<int>(first); i <= static_cast<int>(last); ++i) {
      const std::string_view word = to_word(static_cast<Enum>(i));
      if (word == given) return static_cast<Enum>(i);
      all += fmt::format("{}{}", all.empty() ? "" : ", ", word);
    }
    fail(fmt::format("'{}' is '{}'; write one of: {}", name, visible(given, kLongestName), all));
    return first;
  }
  JsonView object(std::string_view name) { return take(name, "an object"); }
  std::vector<JsonView> list(std::string_view name, bool required = true) {
    if (!required && !has(name)) return {};
    const JsonView value = take(name, "a list");
    if (value.present() && !value.raw().starts_with("[")) fail(fmt::format("'{}' is no list; write [ … ]", name));
    return value.items();
  }
  void fail(const std::string& what) {
    if (!wrong_) wrong_ = invalid(fmt::format("{}{}", where_.empty() ? "" : where_ + ": ", what));
  }
  // What nobody asked for is a slip of whoever edited the file.
  void end() {
    for (const Member& one : members_) {
      if (!one.taken) fail(fmt::format("unknown member '{}'; leave it out", visible(one.name, kLongestName)));
    }
  }

 private:
  struct Member {
    std::string name;
    JsonView value;
    bool taken;
  };
  static bool is_number(const JsonView& value) { return !value.raw().empty() && (value.raw()[0] == '-' || (value.raw()[0] >= '0' && value.raw()[0] <= '9')); }
  JsonView take(std::string_view name, std::string_view what) {
    for (Member& one : members_) {
      if (one.name != name) continue;
      one.taken = true;
      return one.value;
    }
    fail(fmt::format("'{}' is missing; write {}", name, what));
    return JsonView();
  }
  std::vector<Member> members_;
  std::string where_;
  std::optional<Error>& wrong_;
};

}  // namespace belay::cli
