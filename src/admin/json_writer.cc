#include "admin/json_writer.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"

namespace belay::admin {

void JsonWriter::before_value() {
  if (depth_ == 0) {
    BELAY_CHECK_NOTE(out_.empty(), "a JSON document has one value");
    return;
  }
  Level& level = levels_[depth_ - 1];
  if (level.object) {
    BELAY_CHECK_NOTE(named_, "a value of an object needs a name");
    named_ = false;
    return;
  }
  if (level.filled) out_.push_back(',');
  level.filled = true;
}

JsonWriter& JsonWriter::open(char bracket, bool object) {
  before_value();
  BELAY_CHECK(depth_ < kMaxDepth);
  levels_[depth_++] = {object, false};
  out_.push_back(bracket);
  return *this;
}

JsonWriter& JsonWriter::close(char bracket, bool object) {
  BELAY_CHECK(depth_ > 0 && levels_[depth_ - 1].object == object && !named_);
  --depth_;
  out_.push_back(bracket);
  return *this;
}

JsonWriter& JsonWriter::begin_object() { return open('{', true); }
JsonWriter& JsonWriter::end_object() { return close('}', true); }
JsonWriter& JsonWriter::begin_array() { return open('[', false); }
JsonWriter& JsonWriter::end_array() { return close(']', false); }

JsonWriter& JsonWriter::name(std::string_view name) {
  BELAY_CHECK(depth_ > 0 && levels_[depth_ - 1].object && !named_);
  Level& level = levels_[depth_ - 1];
  if (level.filled) out_.push_back(',');
  level.filled = true;
  append_json_string(out_, name);
  out_.push_back(':');
  named_ = true;
  return *this;
}

JsonWriter& JsonWriter::text(std::string_view value) {
  before_value();
  append_json_string(out_, value);
  return *this;
}

JsonWriter& JsonWriter::number(int64_t value) { return raw(fmt::format("{}", value)); }
JsonWriter& JsonWriter::number(uint64_t value) { return raw(fmt::format("{}", value)); }
JsonWriter& JsonWriter::seconds(double value) { return raw(fmt::format("{:.3f}", value)); }
JsonWriter& JsonWriter::boolean(bool value) { return raw(value ? "true" : "false"); }
JsonWriter& JsonWriter::null() { return raw("null"); }

JsonWriter& JsonWriter::raw(std::string_view json) {
  before_value();
  out_ += json;
  return *this;
}

JsonWriter& JsonWriter::field(std::string_view key, std::optional<WallTime> value) {
  name(key);
  return value ? text(format_time(*value)) : null();
}

std::string JsonWriter::take() {
  BELAY_CHECK(depth_ == 0);
  return std::exchange(out_, {});
}

std::string format_time(WallTime time) {
  // Years beyond what people write would not be four digits; stored times may be damaged, an answer must stay readable.
  constexpr auto kLatest = std::chrono::sys_days(std::chrono::year{9999} / 12 / 31);
  constexpr auto kEarliest = std::chrono::sys_days(std::chrono::year{0} / 1 / 1);
  if (time >= kLatest) time = kLatest;
  if (time < kEarliest) time = kEarliest;
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss<std::chrono::milliseconds> clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

}  // namespace belay::admin
