// What people read on a terminal: ages, sizes, times, colours, and foreign text that cannot move the cursor. Pure but for the
// look at the terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace belay::cli {

// The two largest units: "850ms" "12s" "3m 20s" "2h 5m" "4d 3h".
std::string format_duration(Duration duration);
std::string format_microseconds(uint64_t microseconds);  // "820µs" "1.2ms" "340ms" "2.1s"
std::string format_age(WallTime then, WallTime now);     // "12s ago"; "in 5m" for the future; "now"
std::string format_bytes(uint64_t bytes);                // "474 B" "6.1 KB" "20.0 GB" (powers of 1024)
std::string format_count(uint64_t count);                // "1,204"
std::string format_local_time(WallTime time);            // "2026-01-31 09:30:00.123" in the machine's time zone
std::string format_clock(WallTime time);                 // "09:30:00.123" in the machine's time zone

// "2026-01-31T09:30:00.123Z", as the admin API writes it.
std::optional<WallTime> read_time(std::string_view text);

// Text of a sender as it may stand on a terminal: well-formed UTF-8 stays, control characters (C0, DEL, C1), line and direction
// marks and broken bytes become \xNN. `max` is in characters; what is longer ends in "…".
std::string visible(std::string_view text, size_t max = 200);
// Columns that `text` takes: one for each code point.
size_t text_width(std::string_view text);

enum class Colour : uint8_t { none, red, green, yellow, grey, bold };

// Colours are used on a terminal only, and not when NO_COLOR is set or TERM is "dumb".
bool stdout_has_colours();
std::string coloured(std::string_view text, Colour colour, bool on);
// Green for what went well, yellow for what waits, red for what did not.
Colour colour_of_state(std::string_view state);

}  // namespace belay::cli
