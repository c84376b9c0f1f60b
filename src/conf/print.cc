// The effective settings as YAML. What could be a secret is shown as "***": every reference, everything below a key
// that holds secrets, and credentials and queries of URLs.
#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "base/masked_url.h"
#include "conf/configuration.h"

namespace belay::conf {

namespace {

constexpr std::string_view kMask = "***";

// Keys whose whole value is secret, and header names that carry one.
bool secret_key(std::string_view key) {
  constexpr std::array kExact = {"secrets", "auth", "token", "secret", "password", "authorization", "cookie"};
  constexpr std::array kPart = {"token", "secret", "password", "authorization", "api-key", "api_key", "apikey"};
  const std::string lower = ascii_lower(key);
  return std::any_of(kExact.begin(), kExact.end(), [&](std::string_view k) { return lower == k; }) ||
         std::any_of(kPart.begin(), kPart.end(),
                     [&](std::string_view k) { return lower.find(k) != std::string::npos; });
}

// `verify.key.secret` names an entry of `secrets`; it is no secret itself.
bool names_a_secret(const Node& node) {
  const std::string& path = node.path();
  return path.ends_with("key.secret");
}

bool reference(std::string_view text) {
  return text.find("${env:") != std::string_view::npos || text.find("${file:") != std::string_view::npos;
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else {
      out += c;
    }
  }
  return out + '"';
}

// Plain where every YAML reader takes it as the same text, else in double quotes.
std::string scalar(std::string_view text, bool quoted) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
  const bool plain =
      !quoted && !text.empty() && text.front() != '-' && text.find_first_not_of(kPlain) == std::string_view::npos;
  return plain ? std::string(text) : quote(text);
}

class Printer {
 public:
  std::string take() { return std::move(out_); }

  void line(int depth, std::string_view text) {
    out_.append(static_cast<size_t>(depth) * 2, ' ').append(text).push_back('\n');
  }
  void setting(int depth, std::string_view key, std::string_view value) {
    line(depth, std::string(key) + ": " + scalar(value, false));
  }
  void list(int depth, std::string_view key, const std::vector<std::string>& values) {
    std::string text = std::string(key) + ": [";
    for (size_t i = 0; i < values.size(); ++i) text += (i == 0 ? "" : ", ") + scalar(values[i], false);
    line(depth, text + ']');
  }

  // `key` with its value, one entry a line; `masked` holds for all below.
  void entry(int depth, const std::string& key, const Node& value, bool masked) {
    const bool below = masked || (secret_key(key) && !names_a_secret(value));
    const std::string name = scalar(key, false) + ':';
    if (value.is_map() && !value.entries().empty()) {
      line(depth, name);
      for (const Entry& each : value.entries()) entry(depth + 1, each.key, each.value, below);
    } else if (value.is_list() && !value.items().empty()) {
      line(depth, name);
      for (const Node& item : value.items()) list_item(depth + 1, item, below);
    } else {
      line(depth, name + ' ' + leaf(value, below));
    }
  }

 private:
  void list_item(int depth, const Node& item, bool masked) {
    if (item.is_map() && !item.entries().empty()) {
      line(depth, "-");
      for (const Entry& each : item.entries()) entry(depth + 1, each.key, each.value, masked);
    } else if (item.is_list() && !item.items().empty()) {
      line(depth, "-");
      for (const Node& each : item.items()) list_item(depth + 1, each, masked);
    } else {
      line(depth, "- " + leaf(item, masked));
    }
  }

  static std::string leaf(const Node& node, bool masked) {
    if (node.is_map()) return "{}";
    if (node.is_list()) return "[]";
    if (!node.is_scalar()) return "null";
    if (masked || reference(node.text())) return quote(kMask);
    return scalar(masked_url(node.text()), node.quoted());
  }

  std::string out_;
};

std::string milliseconds(Duration time) {
  struct Unit {
    int64_t ms;
    std::string_view name;
  };
  constexpr Unit kUnits[] = {{86'400'000, "d"}, {3'600'000, "h"}, {60'000, "m"}, {1'000, "s"}};
  for (const Unit& unit : kUnits) {
    if (time.count() != 0 && time.count() % unit.ms == 0)
      return std::to_string(time.count() / unit.ms) + std::string(unit.name);
  }
  return std::to_string(time.count()) + "ms";
}

std::string bytes(uint64_t size) {
  constexpr std::array<std::string_view, 5> kUnits = {"B", "KB", "MB", "GB", "TB"};
  size_t unit = 0;
  while (size != 0 && size % 1024 == 0 && unit + 1 < kUnits.size()) {
    size /= 1024;
    ++unit;
  }
  return std::to_string(size) + std::string(kUnits[unit]);
}

void print_listen(Printer& out, const Listen& listen) {
  out.line(2, "- address: " + scalar(listen.address, false));
  out.setting(3, "proxy_protocol", listen.proxy_protocol ? "true" : "false");
  if (listen.tls.empty()) return;
  out.line(3, "tls:");
  for (const TlsListen& tls : listen.tls) {
    out.line(4, "- certificate: " + scalar(tls.certificate, false));
    out.setting(5, "key", tls.key);
    if (!tls.name.empty()) out.setting(5, "name", tls.name);
    if (!tls.client_ca.empty()) out.setting(5, "client_ca", tls.client_ca);
  }
}

void print_proxy(Printer& out, const ProxySettings& proxy) {
  out.line(0, "proxy:");
  out.line(1, "listen:");
  for (const Listen& listen : proxy.listen) print_listen(out, listen);
  out.setting(1, "workers", std::to_string(proxy.workers));
  out.list(1, "trusted_proxies", proxy.trusted_proxies);
  const Limits& limits = proxy.limits;
  out.line(1, "limits:");
  out.setting(2, "body", bytes(limits.body));
  out.setting(2, "header", bytes(limits.header));
  out.setting(2, "headers", std::to_string(limits.headers));
  out.setting(2, "connections", std::to_string(limits.connections));
  out.setting(2, "connections_per_client", std::to_string(limits.connections_per_client));
  out.setting(2, "memory", bytes(limits.memory));
  out.setting(2, "head_timeout", milliseconds(limits.head_timeout));
  out.setting(2, "idle_timeout", milliseconds(limits.idle_timeout));
  out.setting(2, "stop_timeout", milliseconds(limits.stop_timeout));
  out.setting(2, "body_rate", bytes(limits.body_rate) + "/s");
}

void print_named(Printer& out, std::string_view key, const std::vector<Named>& all) {
  if (all.empty()) return;
  out.line(0, std::string(key) + ':');
  for (const Named& named : all) out.entry(1, named.name, named.node, false);
}

// admin.token first, when there is one.
void print_tokens(Printer& out, const std::vector<AdminToken>& tokens) {
  const bool named_apart = !tokens.empty() && tokens.front().name == kAdminToken && tokens.front().operate;
  if (named_apart) out.setting(1, "token", kMask);
  if (tokens.size() == (named_apart ? 1U : 0U)) return;
  out.line(1, "tokens:");
  for (size_t i = named_apart ? 1 : 0; i < tokens.size(); ++i) {
    out.line(2, tokens[i].name + ':');
    out.setting(3, "token", kMask);
    out.setting(3, "role", tokens[i].operate ? "operate" : "read");
  }
}

void print_alerts(Printer& out, const AlertSettings& alerts) {
  if (alerts.to.empty()) return;
  const auto growth = [](const AlertSettings::Growth& of) {
    if (of.window == Duration(0)) return std::string("off");
    return std::to_string(of.count) + (of.window == Duration(60'000) ? "/min" : of.window == Duration(3'600'000) ? "/h" : "/d");
  };
  out.line(0, "alerts:");
  out.setting(1, "to", alerts.to);
  out.setting(1, "destination_down", alerts.destination_down == Duration(0) ? "off" : milliseconds(alerts.destination_down));
  out.setting(1, "dead_letters", growth(alerts.dead_letters));
  out.setting(1, "signature_failures", growth(alerts.signature_failures));
  out.setting(1, "disk", alerts.disk == 0 ? "off" : std::to_string(static_cast<int>(alerts.disk * 100 + 0.5)) + "%");
  out.setting(1, "suppress", milliseconds(alerts.suppress));
}

}  // namespace

std::string print(const Configuration& configuration) {
  Printer out;
  print_proxy(out, configuration.proxy);
  out.line(0, "spool:");
  out.setting(1, "socket", configuration.spool.socket);
  out.setting(1, "path", configuration.spool.path);
  out.setting(1, "size", bytes(configuration.spool.size));
  out.setting(1, "retention", milliseconds(configuration.spool.retention));
  out.setting(1, "history", milliseconds(configuration.spool.history));
  out.line(0, "admin:");
  out.setting(1, "listen", configuration.admin.listen);
  if (configuration.admin.listen.starts_with("unix:")) out.setting(1, "socket_mode", configuration.admin.socket_mode == 0660 ? "0660" : "0600");
  print_tokens(out, configuration.admin.tokens);
  print_alerts(out, configuration.alerts);
  out.line(0, "log:");
  out.setting(1, "level", configuration.log.level);
  out.setting(1, "access", configuration.log.access);
  out.setting(1, "format", configuration.log.format);
  out.setting(1, "core_dumps", configuration.log.core_dumps ? "true" : "false");
  print_named(out, "sources", configuration.sources);
  print_named(out, "destinations", configuration.destinations);
  return out.take();
}

}  // namespace belay::conf
