// Writes one JSON document into a string: commas and nesting are its business, the rest is the caller's. Only for answers of
// the admin API and `--json` lines, which are small and ours; payloads are never rewritten by it (json/ does that). One thread.
// Limits: kMaxDepth levels. Misuse (a value without a name in an object, an end without a begin) is a programmer error.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace belay::admin {

class JsonWriter {
 public:
  static constexpr size_t kMaxDepth = 16;

  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& name(std::string_view name);

  JsonWriter& text(std::string_view value);
  JsonWriter& number(int64_t value);
  JsonWriter& number(uint64_t value);
  JsonWriter& seconds(double value);  // three decimals
  JsonWriter& boolean(bool value);
  JsonWriter& null();
  JsonWriter& raw(std::string_view json);  // an already complete value

  // name and value in one, for the many fields of an answer.
  JsonWriter& field(std::string_view key, std::string_view value) { return name(key).text(value); }
  JsonWriter& field(std::string_view key, const char* value) { return name(key).text(value); }
  JsonWriter& field(std::string_view key, uint64_t value) { return name(key).number(value); }
  JsonWriter& field(std::string_view key, int64_t value) { return name(key).number(value); }
  JsonWriter& field(std::string_view key, uint32_t value) { return name(key).number(uint64_t{value}); }
  JsonWriter& field(std::string_view key, uint16_t value) { return name(key).number(uint64_t{value}); }
  JsonWriter& field(std::string_view key, int value) { return name(key).number(int64_t{value}); }
  JsonWriter& field(std::string_view key, bool value) { return name(key).boolean(value); }
  // null when absent
  JsonWriter& field(std::string_view key, std::optional<WallTime> value);
  // left out when empty: a line about a webhook has many fields and few of them apply
  JsonWriter& optional_field(std::string_view key, std::string_view value) { return value.empty() ? *this : field(key, value); }

  // The document; complete only when every begin has its end.
  const std::string& view() const { return out_; }
  std::string take();

 private:
  void before_value();
  JsonWriter& open(char bracket, bool object);
  JsonWriter& close(char bracket, bool object);

  struct Level {
    bool object = false;
    bool filled = false;
  };
  std::string out_;
  std::array<Level, kMaxDepth> levels_{};
  size_t depth_ = 0;
  bool named_ = false;  // a name was written, its value is due
};

// "2026-01-02T03:04:05.678Z" (RFC 3339), the only form of time in answers.
std::string format_time(WallTime time);

}  // namespace belay::admin
