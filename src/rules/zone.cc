// Time zones by name: the 64-bit part of a TZif file (RFC 8536). Moments behind its last transition take the rules of a year with
// the same calendar inside the table, because summer time goes by weekdays.
#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "rules/moment.h"

namespace belay::rules {

namespace {

constexpr size_t kMaxFile = size_t{64} << 10;
constexpr int kTableEnd = 2037;     // zones with summer time are written out up to here
constexpr size_t kMaxZones = 64;  // kept per thread; further names are read anew

struct Zone {
  std::vector<int64_t> times;     // transitions, ascending
  std::vector<int32_t> offsets;   // in force from the transition on
  int32_t before = 0;             // in force before the first one
};

struct Header {
  size_t is_ut, is_std, leaps, times, types, chars;
  size_t body(size_t time_size) const { return times * time_size + times + types * 6 + chars + leaps * (time_size + 4) + is_std + is_ut; }
};

constexpr size_t kHeaderSize = 44;

bool read_header(std::string_view file, Header& out) {
  if (file.size() < kHeaderSize || !file.starts_with("TZif")) return false;
  const auto count = [&](size_t index) { return static_cast<size_t>(get_be(file.data() + 20 + 4 * index, 4)); };
  out = {count(0), count(1), count(2), count(3), count(4), count(5)};
  return out.times < kMaxFile && out.types > 0 && out.types < 256 && out.chars < kMaxFile && out.leaps < kMaxFile;
}

std::unique_ptr<Zone> parse_zone(std::string_view file) {
  Header first, second;
  if (!read_header(file, first) || file[4] < '2') return nullptr;
  const size_t skip = kHeaderSize + first.body(4);
  if (file.size() < skip || !read_header(file.substr(skip), second)) return nullptr;
  file.remove_prefix(skip + kHeaderSize);
  if (file.size() < second.body(8)) return nullptr;
  const char* const indexes = file.data() + second.times * 8;
  const char* const types = indexes + second.times;
  const auto offset_of = [&](size_t type) { return static_cast<int32_t>(static_cast<uint32_t>(get_be(types + type * 6, 4))); };
  auto zone = std::make_unique<Zone>();
  zone->before = offset_of(0);
  for (size_t i = 0; i < second.times; ++i) {
    const size_t type = static_cast<uint8_t>(indexes[i]);
    if (type >= second.types) return nullptr;
    zone->times.push_back(static_cast<int64_t>(get_be(file.data() + i * 8, 8)));
    zone->offsets.push_back(offset_of(type));
  }
  return zone;
}

bool plausible_name(std::string_view name) {
  if (name.empty() || name.size() > 64 || name.front() == '/' || name.find("..") != std::string_view::npos) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-' || c == '/';
  });
}

std::shared_ptr<const Zone> find_zone(std::string_view name) {
  thread_local std::map<std::string, std::shared_ptr<const Zone>, std::less<>> zones;
  if (const auto known = zones.find(name); known != zones.end()) return known->second;
  if (!plausible_name(name)) return nullptr;
  const auto file = read_file(kZoneFolder + std::string(name), kMaxFile);
  std::shared_ptr<const Zone> zone = file ? parse_zone(*file) : nullptr;
  if (zones.size() < kMaxZones && zone != nullptr) zones.emplace(name, zone);
  return zone;
}

// The same moment of a year with the same calendar that the table covers.
int64_t into_table(int64_t at, int64_t last) {
  const int last_year = civil(last).year;
  const Civil now = civil(at);
  const int64_t year_start = at - (int64_t{now.day_of_year} * 86400 + now.hour * 3600 + now.minute * 60 + now.second);
  const auto is_leap = [](int y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; };
  for (int year = last_year - 1; year > last_year - 29; --year) {
    std::string text = std::to_string(year) + "-01-01T00:00:00Z";
    const int64_t start = parse_timestamp(text)->seconds;
    if (is_leap(year) == is_leap(now.year) && civil(start).weekday == civil(year_start).weekday) return start + (at - year_start);
  }
  return at;
}

}  // namespace

std::optional<int32_t> zone_offset(std::string_view zone, int64_t at) {
  if (zone == "UTC" || zone == "Z" || zone.empty()) return 0;
  if (zone.front() == '+' || zone.front() == '-' || (zone.front() >= '0' && zone.front() <= '9')) {
    const bool negative = zone.front() == '-';
    const std::string_view digits = zone.substr(zone.front() == '+' || negative ? 1 : 0);
    if (digits.size() != 5 || digits[2] != ':') return std::nullopt;
    const auto hours = parse_u64(digits.substr(0, 2)), minutes = parse_u64(digits.substr(3));
    if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
    const auto seconds = static_cast<int32_t>((*hours * 60 + *minutes) * 60);
    return negative ? -seconds : seconds;
  }
  const auto found = find_zone(zone);
  if (found == nullptr) return std::nullopt;
  if (found->times.empty()) return found->before;
  // A table that ends earlier has no summer time any more.
  const int64_t last = found->times.back();
  if (at > last && civil(last).year >= kTableEnd) at = into_table(at, last);
  const auto after = std::upper_bound(found->times.begin(), found->times.end(), at);
  if (after == found->times.begin()) return found->before;
  return found->offsets[static_cast<size_t>(after - found->times.begin() - 1)];
}

}  // namespace belay::rules
