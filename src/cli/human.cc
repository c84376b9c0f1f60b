#include "cli/human.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>

#include "base/bytes.h"
#include "conf/section.h"

namespace belay::cli {

namespace {

std::tm local(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const std::time_t whole = std::chrono::system_clock::to_time_t(seconds);
  std::tm parts{};
  localtime_r(&whole, &parts);
  return parts;
}

int64_t milliseconds_of(WallTime time) {
  return (time - std::chrono::floor<std::chrono::seconds>(time)).count();
}

// Length of the UTF-8 sequence that begins with `lead`, of text that is known to be well formed.
size_t sequence_length(char lead) {
  const auto byte = static_cast<uint8_t>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

// Characters that change where or how the following ones stand: C1 controls, line and paragraph separators, marks and
// overrides of direction, zero-width ones.
bool misleading(std::string_view sequence) {
  if (sequence.size() == 2) return sequence[0] == '\xC2' && static_cast<uint8_t>(sequence[1]) < 0xA0;
  if (sequence.size() != 3) return false;
  if (sequence == "\xEF\xBB\xBF") return true;
  if (sequence[0] != '\xE2') return false;
  const auto middle = static_cast<uint8_t>(sequence[1]), last = static_cast<uint8_t>(sequence[2]);
  if (middle == 0x80) return (last >= 0x8B && last <= 0x8F) || (last >= 0xA8 && last <= 0xAE);
  return middle == 0x81 && last >= 0xA0 && last <= 0xAF;
}

void append_hex(std::string& out, std::string_view bytes) {
  for (const char c : bytes) out += fmt::format("\\x{:02x}", static_cast<uint8_t>(c));
}

// The next character of `text` at `i`: a well-formed sequence, or one broken byte.
std::string_view next_character(std::string_view text, size_t i) {
  const size_t length = sequence_length(text[i]);
  const std::string_view sequence = text.substr(i, length);
  return sequence.size() == length && is_utf8(sequence) ? sequence : text.substr(i, 1);
}

}  // namespace

std::string format_duration(Duration duration) {
  const int64_t ms = std::max<int64_t>(duration.count(), 0);
  if (ms < 1000) return fmt::format("{}ms", ms);
  struct Unit {
    const char* name;
    int64_t seconds;
  };
  constexpr Unit kUnits[] = {{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}};
  const int64_t seconds = ms / 1000;
  for (size_t i = 0; i < std::size(kUnits); ++i) {
    const Unit& unit = kUnits[i];
    if (seconds < unit.seconds) continue;
    std::string out = fmt::format("{}{}", seconds / unit.seconds, unit.name);
    if (i + 1 < std::size(kUnits)) {
      const int64_t rest = seconds % unit.seconds / kUnits[i + 1].seconds;
      if (rest > 0) out += fmt::format(" {}{}", rest, kUnits[i + 1].name);
    }
    return out;
  }
  return "0s";
}

std::string format_microseconds(uint64_t microseconds) {
  if (microseconds < 1000) return fmt::format("{}µs", microseconds);
  if (microseconds < 10'000) return fmt::format("{:.1f}ms", static_cast<double>(microseconds) / 1e3);
  if (microseconds < 1'000'000) return fmt::format("{}ms", microseconds / 1000);
  return fmt::format("{:.1f}s", static_cast<double>(microseconds) / 1e6);
}

std::string format_age(WallTime then, WallTime now) {
  if (then > now) return fmt::format("in {}", format_duration(std::max<Duration>(then - now, Duration(1000))));
  if (now - then < Duration(1000)) return "now";
  return format_duration(now - then) + " ago";
}

std::string format_bytes(uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  constexpr std::array<const char*, 5> kUnits = {"KB", "MB", "GB", "TB", "PB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string format_count(uint64_t count) {
  std::string digits = fmt::format("{}", count);
  for (size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, 1, ',');
  return digits;
}

std::string format_local_time(WallTime time) {
  const std::tm parts = local(time);
  return fmt::format("{:04}-{:02}-{:02} {}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, format_clock(time));
}

std::string format_clock(WallTime time) {
  const std::tm parts = local(time);
  return fmt::format("{:02}:{:02}:{:02}.{:03}", parts.tm_hour, parts.tm_min, parts.tm_sec, milliseconds_of(time));
}

std::optional<WallTime> read_time(std::string_view text) {
  const Result<WallTime> time = conf::parse_time(text);
  if (!time) return std::nullopt;
  return *time;
}

std::string visible(std::string_view text, size_t max) {
  std::string out;
  size_t characters = 0;
  for (size_t i = 0; i < text.size(); ++characters) {
    if (characters == max) {
      // The last one makes room for the sign that something is missing.
      while (!out.empty() && (static_cast<uint8_t>(out.back()) & 0xC0) == 0x80) out.pop_back();
      if (!out.empty()) out.pop_back();
      out += "…";
      return out;
    }
    const std::string_view character = next_character(text, i);
    const auto lead = static_cast<uint8_t>(character[0]);
    const bool control = lead < 0x20 || lead == 0x7F || (lead >= 0x80 && character.size() == 1);
    if (control || misleading(character)) {
      append_hex(out, character);
    } else {
      out += character;
    }
    i += character.size();
  }
  return out;
}

size_t text_width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
}

bool stdout_has_colours() {
  const char* terminal = std::getenv("TERM");
  const char* refused = std::getenv("NO_COLOR");
  return isatty(STDOUT_FILENO) == 1 && (refused == nullptr || *refused == '\0') && terminal != nullptr &&
         std::string_view(terminal) != "dumb";
}

std::string coloured(std::string_view text, Colour colour, bool on) {
  constexpr std::array<const char*, 6> kCodes = {"", "31", "32", "33", "90", "1"};
  if (!on || colour == Colour::none || text.empty()) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", kCodes[static_cast<size_t>(colour)], text);
}

Colour colour_of_state(std::string_view state) {
  if (state == "forwarded" || state == "delivered") return Colour::green;
  if (state == "queued" || state == "sending" || state == "scheduled" || state == "spooled") return Colour::yellow;
  if (state == "rejected" || state == "failed" || state == "dead") return Colour::red;
  if (state == "filtered" || state == "duplicate" || state == "cancelled" || state == "superseded") return Colour::grey;
  return Colour::none;
}

}  // namespace belay::cli
