// Settings that become header fields: auth and headers.
#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "conf/documented.h"
#include "http/parser.h"
#include "http/writer.h"
#include "upstream/settings.h"

namespace belay::upstream {

namespace {

constexpr conf::Setting kAuth[] = {
    {.key = "bearer", .type = conf::Type::secrets, .help = "token for 'Authorization: Bearer'", .example = "\"${env:CRM_TOKEN}\""},
    {.key = "basic", .type = conf::Type::node, .help = "user name and password", .example = "{ user: belay, password: \"${env:CRM_PASSWORD}\" }"},
    {.key = "header", .type = conf::Type::node, .help = "a secret in a field of its own", .example = "{ X-API-Key: \"${env:CRM_KEY}\" }"},
    {.key = "oauth2", .type = conf::Type::node, .help = "client credentials; the token is kept and renewed", .example = "{ token_url: https://login.example.com/token, client_id: belay, client_secret: \"${env:S}\" }"},
};
const conf::Documented kDestinationsAuthDocumented("destinations.NAME.auth", kAuth);
constexpr conf::Setting kBasic[] = {
    {.key = "user", .type = conf::Type::text, .required = true, .help = "user name", .example = "belay"},
    {.key = "password", .type = conf::Type::secrets, .required = true, .help = "password", .example = "\"${env:CRM_PASSWORD}\""},
};
const conf::Documented kDestinationsAuthBasicDocumented("destinations.NAME.auth.basic", kBasic);
constexpr conf::Setting kHeaders[] = {
    {.key = "set", .type = conf::Type::node, .help = "fields that replace the sender's", .example = "{ X-Tenant: acme }"},
    {.key = "remove", .type = conf::Type::text, .help = "names of fields that are not passed on", .example = "[X-Secret]"},
};
const conf::Documented kDestinationsHeadersDocumented("destinations.NAME.headers", kHeaders);

// A field the client writes by itself, because the message's framing or its one hop depends on it.
bool is_framing(std::string_view name) {
  return http::is_hop_by_hop(name) || ascii_iequals(name, "content-length") || ascii_iequals(name, "expect");
}

bool good_name(const std::string& name, const conf::Position& position, conf::Problems& problems) {
  if (!http::is_token(name)) {
    problems.add(position, "'" + printable(name, 60) + "' is no header name", "letters, digits and hyphens, for example X-API-Key");
    return false;
  }
  if (is_framing(name)) {
    problems.add(position, "header " + name + " belongs to the connection, not to the webhook", "remove it: Belay writes it itself where it is needed");
    return false;
  }
  return true;
}

bool fits_header(const std::string& value, const conf::Node& node, conf::Problems& problems) {
  if (http::is_field_value(value)) return true;
  problems.add(node.position(), "the value cannot stand in a header", "it has a line break or another control character");
  return false;
}

// Every value of a secret that is sent, behind `scheme`; which of them, the time of the attempt decides.
FieldValue secret_of(const conf::Node& node, const conf::SecretSource& secrets, conf::Problems& problems, const std::string& scheme = {}) {
  conf::Secret secret = conf::read_secret(node, secrets, problems);
  for (conf::SecretValue& value : secret) {
    if (!fits_header(value.value, node, problems)) return {};
    value.value.insert(0, scheme);
  }
  return FieldValue(std::move(secret));
}

// Plain text, a reference to a secret, or a list of secrets that rotate.
FieldValue text_of(const conf::Node& node, const conf::SecretSource& secrets, conf::Problems& problems) {
  if (node.is_list() || node.at("value").present()) return secret_of(node, secrets, problems);
  if (!node.is_scalar()) {
    problems.add(node.position(), "a header's value must be text", "write for example X-Tenant: acme");
    return {};
  }
  if (node.text().find("${") != std::string::npos) return secret_of(node, secrets, problems);
  return fits_header(node.text(), node, problems) ? FieldValue(conf::Secret{{node.text(), {}, {}, true}}) : FieldValue();
}

void read_basic(const conf::Section& auth, const conf::SecretSource& secrets, Destination& into) {
  const conf::Section basic(auth.node("basic"), kBasic, auth.problems(), &secrets);
  const std::string user = basic.text("user");
  if (user.find(':') != std::string::npos) basic.wrong("user", "a user name of Basic authentication has no ':' (RFC 7617)");
  conf::Secret password = basic.secrets("password");
  for (conf::SecretValue& value : password) value.value = "Basic " + base64_encode(user + ":" + value.value);
  into.authorization = FieldValue(std::move(password));
}

}  // namespace

void read_auth(const conf::Node& node, const conf::SecretSource& secrets, conf::Problems& problems, Destination& into) {
  const conf::Section section(node, kAuth, problems, &secrets);
  const auto written = std::count_if(std::begin(kAuth), std::end(kAuth), [&](const conf::Setting& way) { return section.has(way.key); });
  if (written != 1) return problems.add(node.position(), "auth needs exactly one way", "write one of bearer, basic, header, oauth2");
  if (section.has("oauth2")) into.oauth2 = read_oauth2(section.node("oauth2"), secrets, problems, into);
  if (section.has("bearer")) into.authorization = secret_of(section.node("bearer"), secrets, problems, "Bearer ");
  if (section.has("basic")) read_basic(section, secrets, into);
  if (!section.has("header")) return;
  if (!section.node("header").is_map()) return section.wrong("header", "auth.header must name a field", "write header: { X-API-Key: \"${env:KEY}\" }");
  for (const conf::Entry& entry : section.node("header").entries()) {
    if (good_name(entry.key, entry.key_position, problems)) into.auth_headers.emplace_back(entry.key, secret_of(entry.value, secrets, problems));
  }
}

void read_headers(const conf::Node& node, const conf::SecretSource& secrets, conf::Problems& problems, Destination& into) {
  const conf::Section section(node, kHeaders, problems);
  if (section.has("set") && !section.node("set").is_map()) section.wrong("set", "headers.set must be a mapping", "write set: { X-Tenant: acme }");
  for (const conf::Entry& entry : section.node("set").entries()) {
    if (good_name(entry.key, entry.key_position, problems)) into.set_headers.emplace_back(entry.key, text_of(entry.value, secrets, problems));
  }
  if (!section.has("remove")) return;
  for (const std::string& name : section.texts("remove")) {
    if (ascii_iequals(name, "host")) {
      section.wrong("remove", "a request needs its Host", "use headers.set to send another one");
    } else if (good_name(name, section.node("remove").position(), problems)) {
      into.remove_headers.push_back(name);
    }
  }
}

}  // namespace belay::upstream
