#include "spool/books_report.h"

#include <algorithm>

#include "spool/books.h"

namespace belay::spool {

namespace {

using Found = std::array<uint64_t, 8>;

uint64_t found(const Found& counts, DeliveryState state) { return counts[static_cast<size_t>(state)]; }

constexpr wire::Outcome kOutcomes[] = {wire::Outcome::forwarded, wire::Outcome::spooled,  wire::Outcome::filtered,
                                       wire::Outcome::duplicate, wire::Outcome::rejected, wire::Outcome::failed};

template <typename Accounts>
bool all_balanced(const Accounts& accounts) {
  return std::all_of(accounts.begin(), accounts.end(), [](const BooksAccount& one) { return one.balanced(); });
}

void sort_by_name(std::vector<BooksAccount>& accounts) {
  std::sort(accounts.begin(), accounts.end(), [](const BooksAccount& a, const BooksAccount& b) { return a.name < b.name; });
}

uint64_t missing(const BooksFigure& figure) { return figure.counted - std::min(figure.counted, figure.found); }

// `damaged` records explain what is missing when it is exactly as much; the first figure of an account is the sum of the others.
void explain(const std::vector<BooksAccount*>& accounts, uint64_t damaged) {
  uint64_t sum = 0;
  for (const BooksAccount* account : accounts) {
    for (size_t i = 0; i < account->figures.size(); ++i) {
      if (account->figures[i].found > account->figures[i].counted) return;
      if (i > 0) sum += missing(account->figures[i]);
    }
  }
  if (sum != damaged) return;
  for (BooksAccount* account : accounts) {
    for (BooksFigure& figure : account->figures) figure.damaged = missing(figure);
  }
}

}  // namespace

bool BooksAccount::balanced() const {
  return std::all_of(figures.begin(), figures.end(), [](const BooksFigure& one) { return one.balanced(); });
}

bool BooksReport::balanced() const { return all_balanced(destinations) && all_balanced(sources) && store.balanced(); }

BooksAccount account_of(const DestinationCounts& counts, const Found& by_state) {
  BooksAccount account{counts.name, {}};
  const uint64_t waiting = found(by_state, DeliveryState::queued) + found(by_state, DeliveryState::scheduled);
  const uint64_t delivered = found(by_state, DeliveryState::delivered) + counts.forgotten_delivered;
  const uint64_t dead = found(by_state, DeliveryState::dead) + counts.forgotten_dead;
  const uint64_t cancelled = found(by_state, DeliveryState::cancelled) + counts.forgotten_cancelled;
  const uint64_t superseded = found(by_state, DeliveryState::superseded) + counts.forgotten_superseded;
  account.figures = {{"spooled", counts.spooled, waiting + delivered + dead + cancelled + superseded},
                     {"waiting", counts.waiting, waiting},
                     {"delivered", counts.delivered, delivered},
                     {"dead", counts.dead, dead},
                     {"cancelled", counts.cancelled, cancelled},
                     {"superseded", counts.superseded, superseded}};
  return account;
}

BooksAccount account_of(const std::string& source, const SourceCounts& counts, const Found& by_outcome) {
  BooksAccount account{source, {{"received", 0, 0}}};
  for (const wire::Outcome outcome : kOutcomes) {
    const auto at = static_cast<size_t>(outcome);
    const BooksFigure figure{wire::to_string(outcome), counts.received[at], by_outcome[at] + counts.forgotten[at]};
    account.figures[0].counted += figure.counted;
    account.figures[0].found += figure.found;
    account.figures.push_back(figure);
  }
  return account;
}

BooksReport report_of(const Books& books, const Recount& recount, lmdb::Transaction& transaction, const Tables& tables) {
  BooksReport report;
  uint64_t lines = 0;
  for (const auto& [id, counts] : books.destinations) {
    const auto at = recount.deliveries().find(id);
    report.destinations.push_back(account_of(counts, at == recount.deliveries().end() ? Found{} : at->second));
    if (const uint64_t damaged = recount.damaged_deliveries(id); damaged > 0) explain({&report.destinations.back()}, damaged);
  }
  for (const auto& [id, by_state] : recount.deliveries()) {
    for (const uint64_t count : by_state) report.deliveries += count;
    if (!books.destinations.contains(id)) report.destinations.push_back(account_of({.name = "(unknown to the books)"}, by_state));
  }
  for (const auto& [source, counts] : books.sources) {
    const auto at = recount.lines().find(source);
    report.sources.push_back(account_of(source, counts, at == recount.lines().end() ? Found{} : at->second));
  }
  for (const auto& [source, by_outcome] : recount.lines()) {
    for (const uint64_t count : by_outcome) lines += count;
    if (!books.sources.contains(source)) report.sources.push_back(account_of(source, {}, by_outcome));
  }
  // Of blocks that are damaged and not set aside yet: all that the readable ones do not account for.
  const uint64_t unread = recount.damaged_blocks() > 0 ? books.totals.events - std::min(books.totals.events, lines) : 0;
  report.damaged_lines = books.totals.damaged_lines + unread;
  if (report.damaged_lines > 0) {
    std::vector<BooksAccount*> sources;
    for (BooksAccount& source : report.sources) sources.push_back(&source);
    explain(sources, report.damaged_lines);
  }
  sort_by_name(report.destinations);
  sort_by_name(report.sources);
  report.messages = transaction.entries(tables.messages);
  report.lines = lines;
  const uint64_t quarantined = transaction.entries(tables.quarantine);
  report.damaged = quarantined + recount.damaged();
  report.store.figures = {{"messages", books.totals.messages, report.messages},
                          {"lines", books.totals.events, lines, unread},
                          {"quarantined", books.totals.quarantined, quarantined}};
  return report;
}

}  // namespace belay::spool
