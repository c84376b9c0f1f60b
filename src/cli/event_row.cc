#include "cli/event_row.h"

#include <fmt/format.h>

#include <algorithm>

namespace belay::cli {

namespace {

constexpr size_t kMaxName = 40;
constexpr size_t kMaxReason = 80;

// How much a state needs a person.
int weight(std::string_view state) {
  constexpr std::string_view kOrder[] = {"superseded", "delivered", "cancelled", "queued", "sending", "scheduled", "dead"};
  for (size_t i = 0; i < std::size(kOrder); ++i) {
    if (kOrder[i] == state) return static_cast<int>(i);
  }
  return -1;
}

std::string destinations_of(const JsonView& event) {
  const auto deliveries = event["deliveries"].items();
  if (deliveries.empty()) return visible(event["destination"].text(), kMaxName);
  std::string first = visible(deliveries[0]["destination"].text(), kMaxName);
  return deliveries.size() == 1 ? first : fmt::format("{} +{}", first, deliveries.size() - 1);
}

std::string delivery_reason(const JsonView& delivery, WallTime now) {
  const std::string state = delivery["state"].text();
  if (state == "delivered") return {};
  std::string why = delivery["reason"].text();
  if (const std::string first = delivery["waits_for"].text(); !first.empty()) return "waits for " + first;
  if (why.empty()) why = delivery["last_error"].text();
  if (why.empty() && delivery["last_status"].number() != 0) why = "answered " + delivery["last_status"].text();
  if (state == "scheduled" || (state == "queued" && delivery["attempts"].number() > 0)) {
    if (const auto due = read_time(delivery["due"].text())) {
      const std::string next = *due <= now ? "next attempt is due" : fmt::format("next attempt {}", format_age(*due, now));
      why += (why.empty() ? "" : "; ") + next;
    }
  }
  return why;
}

}  // namespace

std::string worst_state(const JsonView& event) {
  const auto deliveries = event["deliveries"].items();
  if (deliveries.empty()) return event["outcome"].text();
  std::string worst;
  for (const JsonView& delivery : deliveries) {
    const std::string state = delivery["state"].text();
    if (worst.empty() || weight(state) > weight(worst)) worst = state;
  }
  return worst;
}

std::string state_of(const JsonView& event) {
  const auto deliveries = event["deliveries"].items();
  const std::string worst = worst_state(event);
  const auto same = std::count_if(deliveries.begin(), deliveries.end(),
                                  [&](const JsonView& delivery) { return delivery["state"].text() == worst; });
  if (deliveries.empty() || same == static_cast<std::ptrdiff_t>(deliveries.size())) return worst;
  return fmt::format("{}/{} {}", same, deliveries.size(), worst);
}

std::string reason_of(const JsonView& event, WallTime now) {
  const std::string worst = worst_state(event);
  for (const JsonView& delivery : event["deliveries"].items()) {
    if (delivery["state"].text() != worst) continue;
    // A delivered one needs no excuse, whatever the first forward met.
    return delivery_reason(delivery, now);
  }
  return event["reason"].text();
}

// With a clock the table goes on for ever: a column that is empty now may be needed later, and its heading is printed once.
EventTable::EventTable(Time time)
    : time_(time),
      table_({{"RECEIVED", Align::left, true},
              {"ID", Align::left, true},
              {"SOURCE", Align::left, true},
              {"STATE", Align::left, true},
              {"ANSWER", Align::right, true},
              {"DESTINATION", Align::left, time == Time::clock},
              {"TYPE", Align::left, time == Time::clock},
              {"RESOURCE", Align::left, time == Time::clock},
              {"REASON", Align::left, time == Time::clock}}) {}

void EventTable::add(const JsonView& event, WallTime now) {
  const WallTime received = read_time(event["received"].text()).value_or(WallTime{});
  const std::string state = state_of(event);
  table_.add({{time_ == Time::age ? format_age(received, now) : format_clock(received), Colour::grey},
              visible(event["id"].text(), kMaxName),
              visible(event["source"].text(), kMaxName),
              {visible(state, kMaxName), colour_of_state(worst_state(event))},
              event["status"].text(),
              destinations_of(event),
              visible(event["type"].text(), kMaxName),
              visible(event["resource"].text(), kMaxName),
              visible(reason_of(event, now), kMaxReason)});
}

std::string EventTable::print(bool heading) { return table_.print(stdout_has_colours(), heading); }

}  // namespace belay::cli
