#include "modules/secrets.h"

#include "base/bytes.h"

namespace belay::modules {

bool valid_at(const conf::SecretValue& value, WallTime now) {
  return (!value.valid_from || now >= *value.valid_from) && (!value.valid_until || now < *value.valid_until);
}

bool matches_any(const conf::Secret& secret, std::string_view given, WallTime now) {
  bool found = false;
  for (const conf::SecretValue& value : secret) {
    const bool equal = constant_time_equals(value.value, given);
    found = found || (equal && !value.value.empty() && valid_at(value, now));
  }
  return found;
}

SecretTable read_secret_table(const conf::Node& node, const conf::SecretSource& source, conf::Problems& problems) {
  SecretTable table;
  if (!node.present()) return table;
  if (!node.is_map()) {
    problems.add(node.position(), "secrets must be a mapping", "write secrets: {signing: \"${env:NAME}\"}");
    return table;
  }
  for (const conf::Entry& entry : node.entries())
    table.emplace(entry.key, conf::read_secret(entry.value, source, problems));
  return table;
}

}  // namespace belay::modules
