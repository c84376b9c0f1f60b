#include "upstream/fetcher.h"

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "base/log.h"
#include "base/masked_url.h"

namespace belay::upstream {

Duration max_age_of(const http::Fields& fields) {
  Duration age{-1};
  for (std::string_view rest : fields.all("cache-control")) {
    while (!rest.empty()) {
      const size_t comma = std::min(rest.find(','), rest.size());
      const std::string_view word = trim_ows(rest.substr(0, comma));
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      if (ascii_iequals(word, "no-store") || ascii_iequals(word, "no-cache")) return Duration{0};
      constexpr std::string_view kMaxAge = "max-age=";
      if (!ascii_iequals(word.substr(0, kMaxAge.size()), kMaxAge)) continue;
      const std::string_view digits = word.substr(kMaxAge.size());
      uint32_t seconds = 0;
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
      if (error == std::errc() && end == digits.data() + digits.size()) age = std::chrono::seconds(seconds);
    }
  }
  return age;
}

Fetcher::Fetcher(event::Loop& loop, Client& client, FetchLimits limits) : loop_(loop), client_(client), limits_(limits) {
  fields_.add("Accept", "application/json, */*");
}

Fetcher::Known Fetcher::known(const Destination& from, Duration newest) const {
  const auto found = entries_.find(from.name);
  if (found == entries_.end()) return {};
  Entry& entry = *found->second;
  const MonotonicTime now = loop_.now();
  entry.used = now;
  const bool have = entry.document != nullptr;
  const Duration age = have ? std::chrono::duration_cast<Duration>(now - entry.document->fetched) : Duration(0);
  if (have && now < entry.fresh_until && age <= newest) return {Standing::fresh, entry.document};
  if (now >= entry.failed_until) return {};
  if (!have || now >= entry.fresh_until + limits_.stale) return {Standing::unavailable, nullptr};
  return {Standing::stale, entry.document};
}

bool Fetcher::is_fetching(const Destination& from) const {
  const auto found = entries_.find(from.name);
  return found != entries_.end() && found->second->call != nullptr;
}

std::string_view Fetcher::error(const Destination& from) const {
  const auto found = entries_.find(from.name);
  return found == entries_.end() ? std::string_view() : std::string_view(found->second->error);
}

// Null when everything is taken by flights.
Fetcher::Entry* Fetcher::entry_for(const Endpoint& from) {
  if (const auto found = entries_.find(from->name); found != entries_.end()) {
    found->second->from = from;  // after a reload the old one must not be kept alive
    return found->second.get();
  }
  if (entries_.size() >= limits_.documents) {
    auto oldest = entries_.end();
    for (auto at = entries_.begin(); at != entries_.end(); ++at) {
      if (at->second->call == nullptr && (oldest == entries_.end() || at->second->used < oldest->second->used)) oldest = at;
    }
    if (oldest == entries_.end()) return nullptr;
    entries_.erase(oldest);
  }
  auto& entry = entries_[from->name];
  entry = std::make_unique<Entry>();
  entry->from = from;
  return entry.get();
}

void Fetcher::fetch(const Endpoint& from, std::function<void()> done) {
  Entry* const entry = entry_for(from);
  if (entry == nullptr || entry->waiting.size() >= limits_.waiters) return loop_.post(std::move(done));
  entry->waiting.push_back(std::move(done));
  if (entry->call != nullptr) return;
  Outbound request;
  request.method = "GET";
  request.fields = &fields_;
  entry->call = client_.send(from, request, [this, entry](const Attempt& attempt) { landed(*entry, attempt); });
}

void Fetcher::landed(Entry& entry, const Attempt& attempt) {
  const MonotonicTime now = loop_.now();
  entry.used = now;
  if (attempt.status() == 200) {
    entry.document = std::make_shared<const Document>(Document{std::string(attempt.body), now});
    const Duration said = max_age_of(attempt.head->fields);
    entry.fresh_until = now + std::clamp(said.count() < 0 ? limits_.usual_age : said, limits_.least_age, limits_.most_age);
    entry.failed_until = {};
    entry.error.clear();
  } else {
    entry.error = attempt.outcome == Outcome::answered ? "status " + std::to_string(attempt.status())
                                                       : std::string(to_string(attempt.outcome)) + ": " + attempt.error;
    entry.failed_until = now + limits_.failure_memory;
    log::warn("{} cannot be fetched: {}", masked_url(entry.from->name), entry.error);
  }
  const auto waiting = std::exchange(entry.waiting, {});
  entry.call.reset();
  for (const auto& done : waiting) done();  // may fetch again; `entry` may be gone after it
}

}  // namespace belay::upstream
