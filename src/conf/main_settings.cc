// The main file's own sections: their settings tables and what they become.
#include <sched.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/ip.h"
#include "conf/documented.h"
#include "conf/loading.h"

namespace belay::conf {

namespace {

constexpr Setting kMain[] = {
    {.key = "proxy", .type = Type::node, .help = "the half that receives webhooks"},
    {.key = "spool", .type = Type::node, .help = "the half that keeps them on disk"},
    {.key = "admin", .type = Type::node, .help = "the API for operators"},
    {.key = "alerts", .type = Type::node, .help = "webhooks of Belay's own about what needs a person"},
    {.key = "log", .type = Type::node, .help = "what is written about requests and about Belay itself"},
    {.key = "rules", .type = Type::text, .fallback = "rules.d/*.yaml", .help = "rules files, * and ? allowed", .example = "[rules.d/*.yaml, shared/crm.yaml]"},
    {.key = "sources", .type = Type::node, .help = "as in a rules file"},
    {.key = "destinations", .type = Type::node, .help = "as in a rules file"},
};
const Documented kMainDocumented("", kMain);

constexpr Setting kProxy[] = {
    {.key = "listen", .type = Type::node, .help = "addresses to receive on", .example = "[127.0.0.1:8080, \"unix:run/proxy.sock\"]"},
    {.key = "workers", .type = Type::text, .fallback = "auto", .help = "processes; auto: one a core", .example = "4"},
    {.key = "trusted_proxies", .type = Type::text, .help = "whose X-Forwarded-For and PROXY header are believed", .example = "[127.0.0.0/8, \"unix:\"]"},
    {.key = "limits", .type = Type::node, .help = "what one request, and all together, may take"},
};
const Documented kProxyDocumented("proxy", kProxy);

constexpr Setting kListen[] = {
    {.key = "address",
     .type = Type::text,
     .required = true,
     .help = "address and port, or unix: and a path", .example = "0.0.0.0:8443"},
    {.key = "tls", .type = Type::node, .help = "certificate and key; a list of them for several names", .example = "{ certificate: tls/chain.pem, key: tls/key.pem }"},
    {.key = "proxy_protocol",
     .type = Type::boolean,
     .fallback = "false",
     .help = "connections begin with a PROXY header"},
};
const Documented kProxyListenDocumented("proxy.listen[]", kListen);

constexpr Setting kTls[] = {
    {.key = "certificate", .type = Type::text, .required = true, .help = "PEM file, the chain from leaf up", .example = "tls/chain.pem"},
    {.key = "key", .type = Type::text, .required = true, .help = "PEM file", .example = "tls/key.pem"},
    {.key = "name", .type = Type::text, .help = "host name this pair is for; absent: those in the certificate", .example = "hooks.example.com"},
    {.key = "client_ca", .type = Type::text, .help = "PEM file; client certificates it signed are verified", .example = "tls/senders.pem"},
};
const Documented kProxyListenTlsDocumented("proxy.listen[].tls", kTls);

constexpr Setting kLimits[] = {
    {.key = "body", .type = Type::size, .fallback = "10MB", .range = "1B..24MB", .help = "one request's body"},  // kMaxBody
    {.key = "header", .type = Type::size, .fallback = "32KB", .range = "1KB..1MB", .help = "request line and header"},  // kMaxHeader
    {.key = "headers", .type = Type::integer, .fallback = "100", .range = "1..10000", .help = "header fields"},
    {.key = "connections", .type = Type::integer, .fallback = "20000", .range = "1..1000000", .help = "open at once"},
    {.key = "connections_per_client",
     .type = Type::integer,
     .fallback = "1000",
     .range = "1..1000000",
     .help = "open at once from one address (IPv6: one /64) that is not in trusted_proxies"},
    {.key = "memory", .type = Type::size, .fallback = "1GB", .range = "16MB..1TB", .help = "buffers of all requests"},
    {.key = "head_timeout",
     .type = Type::duration,
     .fallback = "10s",
     .range = "100ms..10m",
     .help = "for a whole header to arrive"},
    {.key = "idle_timeout",
     .type = Type::duration,
     .fallback = "30s",
     .range = "100ms..1h",
     .help = "between requests of a connection"},
    {.key = "stop_timeout",
     .type = Type::duration,
     .fallback = "30s",
     .range = "100ms..1h",
     .help = "for requests to end at a stop or reload"},
    {.key = "body_rate", .type = Type::text, .fallback = "500B/s", .help = "a body must arrive at least this fast"},
};
const Documented kProxyLimitsDocumented("proxy.limits", kLimits);

constexpr Setting kSpool[] = {
    {.key = "socket", .type = Type::text, .fallback = "run/spool.sock", .help = "between the two halves"},
    {.key = "path", .type = Type::text, .fallback = "var/spool", .help = "folder of the stored webhooks"},
    {.key = "size",
     .type = Type::size,
     .fallback = "20GB",
     .range = "16MB..64TB",
     .help = "the most it may take on disk"},
    {.key = "retention",
     .type = Type::duration,
     .fallback = "30d",
     .range = "1m..3650d",
     .help = "delivered and dead webhooks are kept whole for, at most: a spool that fills forgets delivered ones earlier"},
    {.key = "history",
     .type = Type::duration,
     .fallback = "90d",
     .range = "1m..3650d",
     .help = "log entries are kept for, at most: a spool that fills forgets the oldest ones earlier"},
};
const Documented kSpoolDocumented("spool", kSpool);

constexpr Setting kAdmin[] = {
    {.key = "listen", .type = Type::text, .fallback = "127.0.0.1:9180", .help = "address of the admin API"},
    {.key = "socket_mode", .type = Type::text, .fallback = "0600", .range = "0600|0660", .help = "of a unix socket: its owner, or its group too"},
    {.key = "token", .type = Type::secrets, .help = "what operators show as bearer token", .example = "\"${file:admin.token}\""},
    {.key = "tokens", .type = Type::node, .help = "further ones by name, each with a role", .example = "{ dashboard: { token: \"${file:dashboard.token}\", role: read } }"},
};
const Documented kAdminDocumented("admin", kAdmin);

constexpr Setting kToken[] = {
    {.key = "token", .type = Type::secrets, .required = true, .help = "one value, or several for rotation", .example = "\"${file:dashboard.token}\""},
    {.key = "role", .type = Type::text, .fallback = "read", .range = "read|operate", .help = "operate: also replay, cancel, pause"},
};
const Documented kTokenDocumented("admin.tokens.NAME", kToken);

constexpr Setting kLog[] = {
    {.key = "level",
     .type = Type::text,
     .fallback = "info",
     .range = "debug|info|warn|error|alert",
     .help = "the least that is written"},
    {.key = "access",
     .type = Type::text,
     .fallback = "stdout",
     .help = "one line a request: stdout, stderr, off or a file"},
    {.key = "format", .type = Type::text, .fallback = "json", .range = "json", .help = "form of access lines"},
    {.key = "core_dumps",
     .type = Type::boolean,
     .fallback = "false",
     .help = "a crash may leave a core dump, with all secrets in it, and debuggers may attach"},
};
const Documented kLogDocumented("log", kLog);

constexpr int kMaxWorkers = 256;
constexpr std::string_view kAddresses = "write 127.0.0.1:8080, [::]:8443 or unix:run/proxy.sock";

// An address in the form event/ opens: "IP:port" or "unix:/absolute/path". Empty with a problem when it is neither.
std::string read_address(const Node& node, const std::string& text, const Configuration& configuration,
                         Problems& problems) {
  if (text.starts_with("unix:")) {
    const std::string path = place(configuration, text.substr(5));
    if (text.size() > 5 && path.size() < sizeof(sockaddr_un::sun_path)) return "unix:" + path;
    problems.add(node.position(),
                 text.size() > 5 ? "socket path of " + std::to_string(path.size()) + " bytes, longer than " +
                                       std::to_string(sizeof(sockaddr_un::sun_path) - 1) + ": " + path
                                 : "'unix:' without a path",
                 "write a short path, for example unix:/run/belay/proxy.sock");
    return {};
  }
  const size_t colon = text.rfind(':');
  const std::string host = text.substr(0, colon);
  const auto port = colon == std::string::npos ? std::nullopt : parse_u64(std::string_view(text).substr(colon + 1));
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (!port || *port > 65535 || !IpAddress::parse(host) || bracketed != (host.find(':') != std::string::npos)) {
    problems.add(node.position(), "'" + printable(text, 60) + "' is not an address to listen on",
                 std::string(kAddresses));
    return {};
  }
  return text;
}

std::string readable_file(const Section& section, std::string_view key, const Configuration& configuration) {
  if (!section.node(key).is_scalar()) return {};
  const std::string path = place(configuration, section.text(key));
  if (access(path.c_str(), R_OK) != 0) {
    section.wrong(key, std::string(key) + " cannot be read: " + errno_error(path).message,
                  "check the path and who may read it");
  }
  return path;
}

TlsListen read_tls(const Node& node, const Configuration& configuration, Problems& problems) {
  const Section section(node, kTls, problems);
  if (section.node("key").is_scalar()) warn_if_public(place(configuration, section.text("key")), section.node("key").position(), problems);
  return {.certificate = readable_file(section, "certificate", configuration),
          .key = readable_file(section, "key", configuration),
          .name = section.text("name"),
          .client_ca = readable_file(section, "client_ca", configuration)};
}

Listen read_listen(const Node& node, const Configuration& configuration, Problems& problems) {
  Listen listen;
  listen.position = node.position();
  if (node.is_scalar()) {
    listen.address = read_address(node, node.text(), configuration, problems);
    return listen;
  }
  const Section section(node, kListen, problems);
  if (section.node("address").is_scalar()) {
    listen.address = read_address(section.node("address"), section.text("address"), configuration, problems);
  }
  listen.proxy_protocol = section.boolean("proxy_protocol");
  const Node& tls = section.node("tls");
  if (tls.is_list()) {
    if (tls.items().empty()) problems.add(tls.position(), "tls is an empty list: this would speak plain HTTP", "write { certificate: FILE, key: FILE }, or remove tls");
    for (const Node& item : tls.items()) listen.tls.push_back(read_tls(item, configuration, problems));
  } else if (tls.present()) {
    listen.tls.push_back(read_tls(tls, configuration, problems));
  }
  return listen;
}

void read_listens(const Node& node, Configuration& configuration, Problems& problems) {
  auto& listens = configuration.proxy.listen;
  if (!node.present()) {
    listens.push_back({.address = "127.0.0.1:8080", .tls = {}, .position = {configuration.main_file}});
    return;
  }
  const std::vector<Node> one = {node};
  const std::vector<Node>& items = node.is_list() ? node.items() : one;
  if (items.empty()) problems.add(node.position(), "listen is empty", std::string(kAddresses));
  for (const Node& item : items) {
    Listen listen = read_listen(item, configuration, problems);
    const auto same = [&](const Listen& other) {
      return other.address == listen.address && !listen.address.ends_with(":0");
    };
    if (!listen.address.empty() && std::any_of(listens.begin(), listens.end(), same)) {
      problems.add(listen.position, "address " + listen.address + " is listed twice", "keep one");
    }
    listens.push_back(std::move(listen));
  }
}

int cores() {
  cpu_set_t set;
  const int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return std::clamp(count, 1, kMaxWorkers);
}

int read_workers(const Section& section) {
  const std::string text = section.text("workers");
  if (text == "auto") return cores();
  const auto count = parse_u64(text);
  if (count && *count >= 1 && *count <= kMaxWorkers) return static_cast<int>(*count);
  section.wrong("workers", "workers cannot be '" + printable(text, 60) + "'",
                "write auto or a number from 1 to " + std::to_string(kMaxWorkers));
  return 1;
}

void read_trusted(const Section& section, Configuration& configuration) {
  const Node& node = section.node("trusted_proxies");
  const std::vector<Node> one = {node};
  for (const Node& item : node.is_list() ? node.items() : one) {
    if (!item.is_scalar()) continue;
    if (item.text() != "unix:") {
      const auto block = Cidr::parse(item.text());
      if (!block) section.problems().add(item.position(), block.error().message);
    }
    configuration.proxy.trusted_proxies.push_back(item.text());
  }
}

uint64_t read_body_rate(const Section& section) {
  const std::string text = section.text("body_rate");
  const auto rate = text.ends_with("/s") ? parse_size(std::string_view(text).substr(0, text.size() - 2))
                                         : Result<uint64_t>(invalid(""));
  if (rate) return *rate;
  section.wrong("body_rate", "'" + printable(text, 60) + "' is not a speed", "write 500B/s or 2KB/s");
  return 0;
}

Limits read_limits(const Node& node, Problems& problems) {
  const Section section(node, kLimits, problems);
  return {.body = section.size("body"),
          .header = section.size("header"),
          .memory = section.size("memory"),
          .headers = section.integer("headers"),
          .connections = section.integer("connections"),
          .connections_per_client = section.integer("connections_per_client"),
          .head_timeout = section.duration("head_timeout"),
          .idle_timeout = section.duration("idle_timeout"),
          .stop_timeout = section.duration("stop_timeout"),
          .body_rate = read_body_rate(section)};
}

void read_spool(const Node& node, Configuration& configuration, Problems& problems) {
  const Section section(node, kSpool, problems);
  const Node& socket = section.node("socket");
  const std::string address = read_address(socket, "unix:" + section.text("socket"), configuration, problems);
  configuration.spool = {.socket = address.empty() ? "" : address.substr(5),
                         .path = place(configuration, section.text("path")),
                         .socket_position = socket.present() ? socket.position() : Position{configuration.main_file},
                         .size = section.size("size"),
                         .retention = section.duration("retention"),
                         .history = section.duration("history")};
}

bool reachable_from_outside(const std::string& address) {
  if (address.starts_with("unix:")) return false;
  const auto ip = IpAddress::parse(address.substr(0, address.rfind(':')));
  return ip && !ip->is_loopback();
}

void read_tokens(const Node& node, const SecretSource& secrets, Problems& problems, std::vector<AdminToken>& into) {
  if (!node.present()) return;
  if (!node.is_map()) return problems.add(node.position(), "tokens must be a mapping of names", "write tokens: { dashboard: { token: \"${file:dashboard.token}\" } }");
  const bool has_admin = !into.empty();
  for (const Entry& entry : node.entries()) {
    if (!good_name(entry.key)) {
      problems.add(entry.key_position, "'" + printable(entry.key, 60) + "' cannot name a token", "write letters, digits, '_', '-' and '.', at most 64");
      continue;
    }
    if (entry.key == kAdminToken && has_admin) {
      problems.add(entry.key_position, "'" + entry.key + "' is the name of admin.token", "give this one another name");
      continue;
    }
    const Section section(entry.value, kToken, problems, &secrets);
    into.push_back({entry.key, section.secrets("token"), section.text("role") == "operate"});
  }
}

// Who did something could not be told.
void refuse_shared_tokens(const Section& section, const std::vector<AdminToken>& tokens) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    for (const SecretValue& value : tokens[i].value) {
      const auto same = [&](const SecretValue& other) { return other.value == value.value; };
      const auto has = [&](const AdminToken& other) { return std::any_of(other.value.begin(), other.value.end(), same); };
      const auto twin = std::find_if(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(i), has);
      if (twin == tokens.begin() + static_cast<std::ptrdiff_t>(i)) continue;
      section.wrong("tokens", "the tokens '" + twin->name + "' and '" + tokens[i].name + "' have the same value", "make another one for each name");
      return;
    }
  }
}

void read_admin(const Node& node, Configuration& configuration, const SecretSource& secrets, Problems& problems) {
  const Section section(node, kAdmin, problems, &secrets);
  AdminSettings& admin = configuration.admin;
  admin.listen = read_address(section.node("listen"), section.text("listen"), configuration, problems);
  admin.socket_mode = section.text("socket_mode") == "0660" ? 0660 : 0600;
  if (section.has("socket_mode") && !admin.listen.starts_with("unix:")) {
    section.wrong("socket_mode", "socket_mode is about a unix socket", "write listen: \"unix:run/admin.sock\", or leave it out");
  }
  if (section.has("token")) admin.tokens.push_back({kAdminToken, section.secrets("token"), true});
  read_tokens(section.node("tokens"), secrets, problems, admin.tokens);
  refuse_shared_tokens(section, admin.tokens);
  if (reachable_from_outside(admin.listen) && !section.has("token") && !section.has("tokens")) {
    section.wrong("listen", "the admin API is reachable from outside and has no token",
                  "write admin.token: \"${file:admin.token}\", or listen on 127.0.0.1");
  }
}

void read_log(const Node& node, Configuration& configuration, Problems& problems) {
  const Section section(node, kLog, problems);
  configuration.log = {
      .level = section.text("level"), .access = section.text("access"), .format = section.text("format"), .core_dumps = section.boolean("core_dumps")};
  std::string& access = configuration.log.access;
  if (access != "stdout" && access != "stderr" && access != "off") access = place(configuration, access);
}

}  // namespace

RulesPatterns read_main(const Node& root, Configuration& configuration, const SecretSource& secrets,
                        Problems& problems) {
  const Section main(root, kMain, problems);
  const Section proxy(main.node("proxy"), kProxy, problems);
  read_listens(proxy.node("listen"), configuration, problems);
  configuration.proxy.workers = read_workers(proxy);
  read_trusted(proxy, configuration);
  configuration.proxy.limits = read_limits(proxy.node("limits"), problems);
  read_spool(main.node("spool"), configuration, problems);
  read_admin(main.node("admin"), configuration, secrets, problems);
  read_alerts(main.node("alerts"), configuration, problems);
  read_log(main.node("log"), configuration, problems);
  add_rules(root, configuration, problems);
  return {main.node("rules"), main.texts("rules")};
}

}  // namespace belay::conf
