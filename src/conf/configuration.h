// The whole configuration of one load: main file, every rules file it names, and the presets, as typed main settings
// plus the raw nodes of sources and destinations (their keys belong to the modules and to upstream/). Built by load();
// immutable and shared afterwards; a reload builds another one. Nothing here opens sockets or starts anything.
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
  std::string name;       // SNI host this pair is for; empty: from the certificate
  std::string client_ca;  // PEM; asks for client certificates and verifies them when given
};

struct Listen {
  std::string address;         // "127.0.0.1:8080", "[::]:443", "unix:run/proxy.sock" (absolute path after loading)
  std::vector<TlsListen> tls;  // empty: plain
  bool proxy_protocol = false;
  Position position;
};

// The largest `limits.body` and `limits.header`. A webhook that may have to be stored must fit into one frame to the spool.
inline constexpr uint64_t kMaxBody = uint64_t{24} << 20;
inline constexpr uint64_t kMaxHeader = uint64_t{1} << 20;

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
  Position socket_position{};
  uint64_t size = 0;
  Duration retention{}, history{};
};

// Who may use the admin API. `admin.token` is the one of the name kAdminToken.
inline constexpr const char* kAdminToken = "admin";
struct AdminToken {
  std::string name;
  Secret value;          // one or, for rotation, several
  bool operate = false;  // else it may only read
};

struct AdminSettings {
  std::string listen;
  uint32_t socket_mode = 0600;
  std::vector<AdminToken> tokens;
};

// What Belay itself sends webhooks about, and to whom. Zero: never about that.
struct AlertSettings {
  struct Growth {
    uint64_t count = 0;   // more than so many
    Duration window{};    // in that time
  };
  std::string to;  // destination; empty: no alerts
  Duration destination_down{};
  Growth dead_letters, signature_failures;
  double disk = 0;  // part that is in use
  Duration suppress{};
};

struct LogSettings {
  std::string level, access, format;
  bool core_dumps = false;
};

// A named mapping of a rules file. `folder` is where its relative paths (secrets, certificates, schemas) start: the
// main file's folder, whichever file the mapping stands in.
struct Named {
  std::string name;
  Position position;
  Node node;
  std::string folder;
};

struct Configuration {
  std::string main_file;             // as given
  std::string folder, state_folder;  // absolute
  bool strict_secrets = false;
  ProxySettings proxy;
  SpoolSettings spool;
  AdminSettings admin;
  AlertSettings alerts;
  Node alerts_to;              // where it stands
  LogSettings log;
  std::vector<Named> sources;  // in file order
  std::vector<Named> destinations;
  std::vector<std::shared_ptr<const Document>> documents;  // keeps every Node alive

  // How secrets of any file of this configuration are looked up.
  SecretSource secret_source() const;

  const Node* preset(const std::string& name) const;  // null when unknown
  std::vector<std::string> preset_names() const;
  std::vector<Named> presets;  // sorted by name
};

// Every preset in sight: NAME.yaml in folder `presets` of `folder` (skipped when that is empty), then in the first of
// $BELAY_PRESETS, /usr/share/belay/presets and the source tree's conf/presets that is set or there.
struct PresetSet {
  std::vector<Named> presets;  // sorted by name
  std::vector<std::shared_ptr<const Document>> documents;
};
PresetSet load_presets(const std::string& folder, Problems& problems);

struct LoadOptions {
  std::string main_file;
  std::string state_folder;       // --state; empty: the main file's folder
  bool strict_secrets = false;    // a secret written in a file itself is a problem
  bool despite_problems = false;  // give what could be read, so that modules can report theirs in the same run
};

// Null when anything is wrong (all of it is in `problems`) as far as conf can judge; modules judge their own keys
// later. With `despite_problems` null only when the main file could not be read at all.
std::shared_ptr<const Configuration> load(const LoadOptions& options, Problems& problems);

// The main file alone, without rules and presets: for commands that only ask where the running parts are. They must
// work while a person is in the middle of changing rules.
std::shared_ptr<const Configuration> load_main(const LoadOptions& options, Problems& problems);

// What cannot change while the halves run: a problem for each.
void check_reload(const Configuration& running, const Configuration& next, Problems& problems);

// The effective settings as YAML, defaults filled in, secrets as "***".
std::string print(const Configuration& configuration);

}  // namespace belay::conf
