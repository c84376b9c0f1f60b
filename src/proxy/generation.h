// Everything that one configuration becomes before workers are forked: rules, certificates, listening sockets. Built by the
// master at start and at each reload; workers inherit it through fork and never change it.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "conf/configuration.h"
#include "event/tls.h"
#include "pipeline/module.h"
#include "proxy/client_address.h"
#include "proxy/connections.h"

namespace belay::proxy {

struct Generation;

// The master's listening sockets by their configured address. They stay open over reloads as long as the address is
// configured, so no connection is refused in between. Closes what is left, and removes its unix socket files.
class Sockets {
 public:
  Sockets() = default;
  ~Sockets();
  Sockets(const Sockets&) = delete;
  Sockets& operator=(const Sockets&) = delete;

  // The descriptor for an address, opened when it is new.
  Result<int> get(const std::string& address);
  // Closes every socket that none of these doors uses.
  void close_others(const std::vector<const Generation*>& keep);
  // In a worker: closes its copies of those that `own` does not use. The files of unix sockets stay, they are the master's.
  void leave_others(const Generation& own);

 private:
  static void close_one(const std::string& address, int fd);
  std::map<std::string, int> open_;
};

struct Generation {
  struct Door {
    int fd = -1;
    Entrance entrance;
    std::unique_ptr<event::ServerTls> tls;
  };
  uint64_t number = 0;
  std::shared_ptr<const conf::Configuration> configuration;
  std::shared_ptr<const pipeline::Ruleset> ruleset;
  TrustedProxies trusted;
  std::vector<Door> doors;  // in the order of proxy.listen
};

// Everything but the listening sockets. Null when anything is wrong; all of it is in `problems` then.
std::unique_ptr<Generation> build_generation(const conf::LoadOptions& load, std::span<const pipeline::Module> modules,
                                             conf::Problems& problems);
// The socket for an address; -1 with a problem.
int open_door(Sockets& sockets, const conf::Listen& listen, conf::Problems& problems);
// Opens its doors. What could be opened stays in `sockets` also when something is wrong.
bool open_doors(Generation& generation, Sockets& sockets, conf::Problems& problems);

// "http://127.0.0.1:8080", "https://[::]:8443", "unix:/run/belay/proxy.sock": with the port the kernel gave for port 0.
std::string door_name(const conf::Listen& listen, int fd);

}  // namespace belay::proxy
