// The whole configuration of one load: main file, every rules file it names, and the presets, as typed main settings plus
// the raw nodes of sources and destinations (their keys belong to the modules and to upstream/). Built by load(); immutable
// and shared afterwards; a reload builds another one. Nothing here opens sockets or starts anything.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "conf/node.h"
#include "conf/section.h"

namespace belay::conf {

struct TlsListen {
  std::string certificate;  // PEM chain
  std::string key;
  std::string name;         // SNI host this pair is for; empty: from the certificate
  std::string client_ca;    // PEM; asks for client certificates and verifies them when given
};

struct Listen {
  std::string address;  // "127.0.0.1:8080", "[::]:443", "unix:run/proxy.sock" (absolute path after loading)
  std::vector<TlsListen> tls;  // empty: plain
  bool proxy_protocol = false;
  Position position;
};

struct Limits {
  uint64_t body = 0, header = 0, memory = 0;
  int64_t headers = 0, connections = 0, connections_per_client = 0;
  Duration head_timeout{}, idle_timeout{}, stop_timeout{};
  uint64_t body_rate = 0;  // bytes per second a body must arrive at, at least
};

struct ProxySettings {
  std::vector<Listen> listen;
  int workers = 1;
  std::vector<std::string> trusted_proxies;
  Limits limits;
};

struct SpoolSettings {
  std::string socket, path;
  uint64_t size = 0;
  Duration retention{}, history{};
};

struct AdminSettings {
  std::string listen;
  Secret token;
};

struct LogSettings {
  std::string level, access, format;
};

// A named mapping of a rules file, with the file it came from (secrets and schema paths are relative to it).
struct Named {
  std::string name;
  Position position;
  Node node;
  std::string folder;
};

struct Configuration {
  std::string main_file, folder, state_folder;
  ProxySettings proxy;
  SpoolSettings spool;
  AdminSettings admin;
  LogSettings log;
  std::vector<Named> sources;       // in file order
  std::vector<Named> destinations;
  std::vector<std::shared_ptr<const Document>> documents;  // keeps every Node alive

  // Preset NAME.yaml of conf/presets (folder `presets` beside the main file, then the installed one); null when unknown.
  const Node* preset(const std::string& name) const;
  std::vector<std::string> preset_names() const;
  std::vector<Named> presets;
};

struct LoadOptions {
  std::string main_file;
  std::string state_folder;  // --state; empty: the main file's folder
  bool strict_secrets = false;  // a secret written in a file itself is a problem
};

// Null when anything is wrong (all of it is in `problems`) as far as conf can judge; modules judge their own keys later.
std::shared_ptr<const Configuration> load(const LoadOptions& options, Problems& problems);

// The effective settings as YAML, defaults filled in, secrets as "***".
std::string print(const Configuration& configuration);

}  // namespace belay::conf
