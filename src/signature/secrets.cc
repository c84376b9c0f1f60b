#include "signature/secrets.h"

#include "base/bytes.h"
#include "signature/digest.h"

namespace belay::signature {

bool matches_any(const conf::Secret& secret, std::string_view given, WallTime now) {
  bool found = false;
  for (const conf::SecretValue& value : secret) {
    const bool equal = same_secret(value.value, given);
    found = found || (equal && !value.value.empty() && value.valid_at(now));
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

bool LentSecrets::find(std::string_view name, rules::Arena& arena, rules::Value& out) const {
  if (!name_.empty() && name == name_) {
    // Decoded keys may be any bytes.
    out = is_utf8(value_) ? rules::Value::copy_string(value_, arena) : rules::Value::copy_bytes(value_, arena);
    return !out.is_error();
  }
  const auto found = secrets_.find(name);
  if (found == secrets_.end()) return false;
  for (const conf::SecretValue& value : found->second) {
    if (!value.valid_at(now_)) continue;
    out = rules::Value::string(value.value);
    return true;
  }
  return false;
}

}  // namespace belay::signature
