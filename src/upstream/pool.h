// The connections to one destination. Owned by the Client; lives while any connection or call does, and while one of several
// urls has failed, so that it is not forgotten between two requests; with the destination gone from the rules, until the
// client's next sweep.
#pragma once

#include <memory>
#include <vector>

#include "upstream/balance.h"
#include "upstream/connection.h"

namespace belay::upstream {

struct Pool {
  Pool(std::shared_ptr<const Destination> to_in) : to(std::move(to_in)), idle(to->urls.size()), balancer(to->urls.size()) {}  // NOLINT: implicit on purpose

  std::shared_ptr<const Destination> to;
  std::vector<std::unique_ptr<Connection>> all;
  std::vector<std::vector<Connection*>> idle;  // by url, the most recently used last: the coldest ones age out
  size_t idle_count = 0;
  Balancer balancer;
  int in_flight = 0;

  bool unused() const { return all.empty() && in_flight == 0; }

  Connection* take_idle(size_t url) {
    if (idle[url].empty()) return nullptr;
    Connection* connection = idle[url].back();
    idle[url].pop_back();
    --idle_count;
    return connection;
  }
  void put_idle(Connection& connection) {
    idle[connection.url].push_back(&connection);
    ++idle_count;
  }
  void add(std::unique_ptr<Connection> connection) {
    connection->place = all.size();
    all.push_back(std::move(connection));
  }
  // Destroys it, wherever it is.
  void remove(Connection& connection) {
    std::vector<Connection*>& waiting = idle[connection.url];
    for (size_t i = 0; i < waiting.size(); ++i) {
      if (waiting[i] != &connection) continue;
      waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(i));
      --idle_count;
      break;
    }
    const size_t place = connection.place;
    all.back()->place = place;
    std::swap(all[place], all.back());
    all.pop_back();
  }
};

}  // namespace belay::upstream
