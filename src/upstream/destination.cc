#include "upstream/destination.h"

#include <xxhash.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "conf/documented.h"
#include "conf/section.h"
#include "upstream/settings.h"

namespace belay::upstream {

namespace {

using conf::Type;

constexpr conf::Setting kDestination[] = {
    {.key = "url", .type = Type::text, .help = "where webhooks go: http, https, or unix: and the path of a socket", .example = "http://127.0.0.1:8081/orders"},
    {.key = "urls", .type = Type::text, .help = "several backends; the next one is tried when one refuses", .example = "[http://10.0.0.1:8081, http://10.0.0.2:8081]"},
    {.key = "balanced", .type = Type::text, .fallback = "round_robin", .range = "round_robin|least_pending|first_alive", .help = "which of several urls gets the next request"},
    {.key = "append_path", .type = Type::boolean, .fallback = "false", .help = "add what follows the source's prefix to the url's path"},
    {.key = "timeout", .type = Type::duration, .fallback = "30s", .range = "1ms..1h", .help = "for the whole answer, from the start"},
    {.key = "connect_timeout", .type = Type::duration, .fallback = "3s", .range = "1ms..5m", .help = "for DNS, connect and TLS together"},
    {.key = "success", .type = Type::text, .fallback = "2xx", .help = "statuses that mean delivered", .example = "[2xx, 404]"},
    {.key = "concurrency", .type = Type::integer, .fallback = "512", .range = "1..100000", .help = "requests in flight: of all workers, and of the spool"},
    {.key = "rate", .type = Type::rate, .help = "requests per unit of time: of all workers, and of the spool", .example = "50/s"},
    {.key = "retry", .type = Type::node, .help = "when it is tried again", .example = "{ preset: netx }"},
    {.key = "retry_on", .type = Type::text, .help = "what is tried again; other statuses are dead at once", .example = "[network, 5xx, 408, 409, 425, 429]"},
    {.key = "auth", .type = Type::node, .help = "credentials for the backend: bearer, basic, header or oauth2", .example = "{ bearer: \"${env:CRM_TOKEN}\" }"},
    {.key = "tls", .type = Type::node, .help = "how an https backend is verified, and the certificate that is shown to it", .example = "{ ca: tls/backend-ca.pem }"},
    {.key = "headers", .type = Type::node, .help = "fields that are replaced, added or left out", .example = "{ set: { X-Tenant: acme }, remove: [X-Secret] }"},
    {.key = "network", .type = Type::node, .help = "private networks a host name may lead to", .example = "{ allow: [10.0.0.0/8] }"},
    {.key = "on_dead", .type = Type::text, .fallback = "keep", .range = "keep|disable", .help = "what happens to the destination after a dead letter"},
    {.key = "ramp", .type = Type::duration, .range = "100ms..1d", .help = "after an outage what waited is sent more and more, over this time, and leaves half of the limits to what comes now", .example = "60s"},
    {.key = "breaker", .type = Type::node, .help = "nothing is sent while too many of the last requests failed", .example = "{ failures: 50%, of_last: 20, open_for: 30s }"},
    {.key = "health", .type = Type::node, .help = "the spool asks every url; while none passes, nothing is sent", .example = "{ path: /healthz, every: 10s, timeout: 5s }"},
    {.key = "sign", .type = Type::node, .help = "signs what is sent: by a preset, or a scheme as in a source's verify", .example = "{ preset: standard_webhooks, secret: \"${env:S}\" }"},
};
const conf::Documented kDestinationsDocumented("destinations.NAME", kDestination);

constexpr conf::Setting kTls[] = {
    {.key = "ca", .type = Type::text, .help = "PEM file of the authority; the system's when absent", .example = "tls/backend-ca.pem"},
    {.key = "certificate", .type = Type::text, .help = "PEM file of our client certificate", .example = "tls/belay.pem"},
    {.key = "key", .type = Type::text, .help = "PEM file of its key; the certificate's file when absent", .example = "tls/belay.key"},
    {.key = "server_name", .type = Type::text, .help = "name to ask for and to verify; the url's host when absent", .example = "backend.example.com"},
    {.key = "verify", .type = Type::boolean, .fallback = "true", .help = "false accepts any certificate: for tests only"},
};
const conf::Documented kDestinationsTlsDocumented("destinations.NAME.tls", kTls);
constexpr conf::Setting kNetwork[] = {
    {.key = "allow", .type = Type::text, .required = true, .help = "addresses or blocks", .example = "[10.0.0.0/8]"},
};
const conf::Documented kDestinationsNetworkDocumented("destinations.NAME.network", kNetwork);

Balance balance_of(std::string_view word) {
  return word == "least_pending" ? Balance::least_pending : word == "first_alive" ? Balance::first_alive : Balance::round_robin;
}

const std::vector<std::string> kRetryOn = {"network", "5xx", "408", "409", "425", "429"};

class Builder {
 public:
  Builder(const conf::Configuration& configuration, conf::Problems& problems) : configuration_(configuration), problems_(problems) {}

  std::shared_ptr<const Destination> build(const conf::Named& named) {
    const conf::SecretSource secrets = configuration_.secret_source();
    const conf::Section section(named.node, kDestination, problems_, &secrets);
    auto to = std::make_shared<Destination>();
    to->name = named.name;
    to->key = XXH3_64bits(named.name.data(), named.name.size());
    read_urls(section, *to);
    to->append_path = section.boolean("append_path");
    to->timeout = section.duration("timeout");
    to->connect_timeout = section.duration("connect_timeout");
    to->concurrency = static_cast<int>(section.integer("concurrency"));
    if (section.has("rate")) to->rate_per_second = section.rate("rate").per_second;
    to->success = statuses(section, "success", section.texts("success"), nullptr);
    to->retry_on = statuses(section, "retry_on", section.has("retry_on") ? section.texts("retry_on") : kRetryOn, &to->retry_on_network);
    to->retry = read_retry(section.node("retry"), configuration_, problems_);
    to->balance = balance_of(section.text("balanced"));
    if (section.has("balanced") && to->urls.size() < 2) section.wrong("balanced", "there is one url", "write urls: [...], or remove balanced");
    if (section.has("ramp")) to->ramp = section.duration("ramp");
    if (section.has("health")) to->health = read_health(section.node("health"), problems_);
    if (section.has("breaker")) {
      to->breaker = read_breaker(section.node("breaker"), problems_);
      to->breaker.probe_for = to->timeout + BreakerRule::kProbeMargin;
    }
    to->disable_on_dead = section.text("on_dead") == "disable";
    if (section.has("headers")) read_headers(section.node("headers"), secrets, problems_, *to);
    if (section.has("network")) read_network(section.node("network"), *to);
    read_tls(section, named, *to);
    if (section.has("auth")) read_auth(section.node("auth"), secrets, problems_, *to);
    if (section.has("sign")) to->sign = read_sign(section.node("sign"), configuration_, secrets, problems_);
    return to;
  }

 private:
  void read_urls(const conf::Section& section, Destination& to) {
    if (section.has("url") == section.has("urls")) {
      const std::string hint = "write url: http://127.0.0.1:8081/path";
      return problems_.add(section.self().position(), section.has("url") ? "url and urls exclude each other" : "a destination needs a url", hint);
    }
    const std::string_view key = section.has("url") ? "url" : "urls";
    for (const std::string& text : section.texts(key)) {
      auto url = http::parse_url(text);
      if (!url) {
        section.wrong(key, url.error().message);
      } else {
        to.urls.push_back(std::move(url).value());
      }
    }
    if (to.urls.size() > Destination::kMaxUrls) section.wrong(key, "more than " + std::to_string(Destination::kMaxUrls) + " urls", "put a load balancer in front of some");
    if (to.urls.empty() && section.texts(key).empty()) section.wrong(key, "no url in the list", "write urls: [http://10.0.0.1:8081, http://10.0.0.2:8081]");
  }

  StatusSet statuses(const conf::Section& section, std::string_view key, const std::vector<std::string>& terms, bool* network) {
    auto set = StatusSet::parse(terms, network);
    if (set) return *set;
    section.wrong(key, set.error().message);
    return {};
  }

  void read_network(const conf::Node& node, Destination& to) {
    const conf::Section section(node, kNetwork, problems_);
    for (const std::string& text : section.texts("allow")) {
      const auto block = Cidr::parse(text);
      if (!block) {
        section.wrong("allow", block.error().message);
      } else {
        to.network_allow.push_back(*block);
      }
    }
  }

  void read_tls(const conf::Section& destination, const conf::Named& named, Destination& to) {
    const conf::Section section(destination.node("tls"), kTls, problems_);
    to.server_name = section.text("server_name");
    bool https = false;
    for (const http::Url& url : to.urls) https = https || url.scheme == "https";
    https = https || destination.node("auth").at("oauth2").at("token_url").text().starts_with("https:");
    if (!https) {
      if (destination.has("tls")) destination.wrong("tls", "tls has no use without an https url", "write https:// in url, or remove tls");
      return;
    }
    const auto path = [&](std::string_view key) {
      const std::string text = section.text(key);
      return text.empty() || text.starts_with('/') ? text : named.folder + "/" + text;
    };
    const event::ClientTlsFiles files{.ca = path("ca"), .certificate = path("certificate"), .key = path("key"), .verify = section.boolean("verify")};
    if (files.certificate.empty() && !files.key.empty()) section.wrong("key", "a key without its certificate", "write tls.certificate as well");
    if (!files.key.empty()) conf::warn_if_public(files.key, section.node("key").position(), problems_);
    if (!files.verify) {
      problems_.warn(section.node("verify").position(), "tls.verify is false: anybody on the way to " + to.name + " can read and change what it gets",
                     "give tls.ca the backend's own authority instead");
    }
    auto& shared = contexts_[std::tuple(files.ca, files.certificate, files.key, files.verify)];
    if (shared == nullptr) {
      auto made = event::ClientTls::create(files);
      if (!made) return problems_.add(destination.has("tls") ? section.self().position() : named.position, made.error().message);
      shared = std::move(made).value();
    }
    to.tls = shared;
  }

  const conf::Configuration& configuration_;
  conf::Problems& problems_;
  // Reading the system's authorities takes milliseconds; most destinations share them.
  std::map<std::tuple<std::string, std::string, std::string, bool>, std::shared_ptr<event::ClientTls>> contexts_;
};

}  // namespace

FieldValue::FieldValue(conf::Secret secret) : values_(std::move(secret)) {
  // A value without a beginning has always been valid: it is the oldest. Of equals, the one written first.
  std::stable_sort(values_.begin(), values_.end(), [](const conf::SecretValue& a, const conf::SecretValue& b) { return a.valid_from > b.valid_from; });
}

const std::string* FieldValue::at(WallTime now) const {
  for (const conf::SecretValue& value : values_) {
    if (value.valid_at(now)) return &value.value;
  }
  return nullptr;
}

std::string_view Destination::field_without_value(WallTime now) const {
  if (!authorization.empty() && authorization.at(now) == nullptr) return "Authorization";
  for (const auto* fields : {&auth_headers, &set_headers}) {
    for (const auto& field : *fields) {
      if (field.second.at(now) == nullptr) return field.first;
    }
  }
  return {};
}

Destinations build_destinations(const conf::Configuration& configuration, conf::Problems& problems) {
  Destinations destinations;
  Builder builder(configuration, problems);
  for (const conf::Named& named : configuration.destinations) destinations.emplace(named.name, builder.build(named));
  return destinations;
}

}  // namespace belay::upstream
