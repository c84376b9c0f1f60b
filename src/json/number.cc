#include "json/number.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

namespace belay::json {

namespace {

// A number as sign, significant digits (with a '.' somewhere among them, to be skipped) and the power of ten of the first one.
struct Decimal {
  bool negative = false;
  std::string_view digits;  // from the first to the last one that is not zero; empty for zero
  int64_t scale = 0;
};

constexpr int64_t kMaxExponent = 100'000'000'000'000'000;  // further out, exponents count as this

int64_t exponent_value(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int64_t value = 0;
  for (const char c : text) value = value >= kMaxExponent / 10 ? kMaxExponent : value * 10 + (c - '0');
  return negative ? -value : value;
}

Decimal decompose(std::string_view raw) {
  Decimal result;
  if (raw.starts_with('-')) {
    result.negative = true;
    raw.remove_prefix(1);
  }
  int64_t exponent = 0;
  if (const size_t e = raw.find_first_of("eE"); e != std::string_view::npos) {
    exponent = exponent_value(raw.substr(e + 1));
    raw = raw.substr(0, e);
  }
  const size_t first = raw.find_first_of("123456789");
  if (first == std::string_view::npos) return {};
  const size_t point = std::min(raw.find('.'), raw.size());
  const size_t last = raw.find_last_of("123456789");
  result.digits = raw.substr(first, last + 1 - first);
  result.scale = exponent + static_cast<int64_t>(point) - static_cast<int64_t>(first) - (first > point ? 0 : 1);
  return result;
}

int compare_digits(std::string_view a, std::string_view b) {
  size_t i = 0, j = 0;
  for (;;) {
    if (i < a.size() && a[i] == '.') ++i;
    if (j < b.size() && b[j] == '.') ++j;
    if (i == a.size() || j == b.size()) break;
    if (a[i] != b[j]) return a[i] < b[j] ? -1 : 1;
    ++i;
    ++j;
  }
  // Neither ends in zeros, so the longer one is the larger one.
  return i < a.size() ? 1 : j < b.size() ? -1 : 0;
}

__extension__ typedef unsigned __int128 Wide;  // GNU: both compilers have it
constexpr size_t kWideDigits = 37;             // any number of so many digits fits into a Wide

size_t digit_count(const Decimal& number) {
  return number.digits.size() - (number.digits.find('.') == std::string_view::npos ? 0 : 1);
}
// The power of ten of the last digit.
int64_t last_power(const Decimal& number) { return number.scale - static_cast<int64_t>(digit_count(number)) + 1; }

// The digits as an integer, with `zeros` behind them.
Wide wide(const Decimal& number, int64_t zeros) {
  Wide value = 0;
  for (const char c : number.digits) {
    if (c != '.') value = value * 10 + static_cast<unsigned>(c - '0');
  }
  for (; zeros > 0; --zeros) value *= 10;
  return value;
}

template <typename T>
std::optional<T> whole(std::string_view raw) {
  T value{};
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  if (error != std::errc{} || end != raw.data() + raw.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<int64_t> to_int64(std::string_view raw) { return whole<int64_t>(raw); }

std::optional<uint64_t> to_uint64(std::string_view raw) {
  if (raw == "-0") return 0;
  return whole<uint64_t>(raw);
}

double to_double(std::string_view raw) {
  double value = 0;
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  if (error != std::errc::result_out_of_range) return value;
  const Decimal parts = decompose(raw);
  const double magnitude = parts.scale > 0 ? std::numeric_limits<double>::infinity() : 0.0;
  return parts.negative ? -magnitude : magnitude;
}

int compare_numbers(std::string_view a, std::string_view b) {
  const Decimal x = decompose(a), y = decompose(b);
  if (x.digits.empty() || y.digits.empty()) {
    const int sign_x = x.digits.empty() ? 0 : x.negative ? -1 : 1;
    const int sign_y = y.digits.empty() ? 0 : y.negative ? -1 : 1;
    return sign_x < sign_y ? -1 : sign_x > sign_y ? 1 : 0;
  }
  if (x.negative != y.negative) return x.negative ? -1 : 1;
  const int magnitude = x.scale != y.scale ? (x.scale < y.scale ? -1 : 1) : compare_digits(x.digits, y.digits);
  return x.negative ? -magnitude : magnitude;
}

bool is_whole(std::string_view raw) {
  const Decimal number = decompose(raw);
  return number.digits.empty() || last_power(number) >= 0;
}

bool is_multiple(std::string_view raw, std::string_view divisor) {
  const Decimal a = decompose(raw), b = decompose(divisor);
  if (a.digits.empty()) return true;
  const int64_t power = std::min(last_power(a), last_power(b));
  const int64_t a_zeros = last_power(a) - power, b_zeros = last_power(b) - power;
  const auto fits = [](const Decimal& number, int64_t zeros) {
    return zeros <= static_cast<int64_t>(kWideDigits) && digit_count(number) + static_cast<size_t>(zeros) <= kWideDigits;
  };
  if (fits(a, a_zeros) && fits(b, b_zeros)) return wide(a, a_zeros) % wide(b, b_zeros) == 0;
  return std::fmod(to_double(raw), to_double(divisor)) == 0;
}

}  // namespace belay::json
