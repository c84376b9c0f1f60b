// What a recount of the store found, beside what the books say (P11). Pure.
//   per destination  spooled = waiting + delivered + dead + cancelled + superseded
//   per source       received = forwarded + spooled + filtered + duplicate + rejected + failed
// What retention took away is no longer in the store; the books count it, too ("forgotten"), so that both sides can be compared.
// Records that are damaged are a part of the balance: how many lines were lost with blocks of the books is known, though not of which
// sources, so what is missing there is damage when all of it together is as much as was lost.
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
  uint64_t damaged = 0;      // cannot be read any more
  bool balanced() const { return counted == found + damaged; }
};

struct BooksAccount {
  std::string name;          // of a source or a destination; empty: of the store as a whole
  std::vector<BooksFigure> figures;
  bool balanced() const;
};

struct BooksReport {
  uint64_t messages = 0, deliveries = 0, lines = 0;  // looked at
  uint64_t damaged = 0;                              // records in quarantine, and those that could not be read
  uint64_t damaged_lines = 0;                        // lost with blocks of the books, ever
  std::vector<BooksAccount> destinations, sources;   // by name
  BooksAccount store;
  bool balanced() const;
};

}  // namespace belay::spool
