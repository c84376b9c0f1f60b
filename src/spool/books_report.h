// What a recount of the store found, beside what the books say (P11). Pure.
//   per destination  spooled = waiting + delivered + dead + cancelled + superseded
//   per source       received = forwarded + spooled + filtered + duplicate + rejected + failed
// What retention took away is no longer in the store; the books count it, too ("forgotten"), so that both sides can be compared.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace belay::spool {

struct BooksFigure {
  std::string_view counter;  // "waiting", "forwarded", …
  uint64_t counted = 0;      // by the books
  uint64_t found = 0;        // in the store, and forgotten by retention
  bool balanced() const { return counted == found; }
};

struct BooksAccount {
  std::string name;          // of a source or a destination; empty: of the store as a whole
  std::vector<BooksFigure> figures;
  bool balanced() const;
};

struct BooksReport {
  uint64_t messages = 0, deliveries = 0, lines = 0;  // looked at
  uint64_t damaged = 0;                              // records in quarantine, and those that could not be read
  std::vector<BooksAccount> destinations, sources;   // by name
  BooksAccount store;
  bool balanced() const;
};

}  // namespace belay::spool
