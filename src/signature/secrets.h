// Secrets of the rules at run time: which values match, and comparison that does not tell by its time where two
// texts differ. Shared by auth and the schemes. Pure, any thread. An empty value never matches: an unset secret fails
// closed.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "conf/section.h"
#include "rules/value.h"
#include "signature/params.h"

namespace belay::signature {

// The named secrets of one source (`secrets:`), or of one command line.
using SecretTable = std::map<std::string, conf::Secret, std::less<>>;

// True when `given` equals any value that is valid at `now`. Every value is compared, whatever the earlier ones gave.
bool matches_any(const conf::Secret& secret, std::string_view given, WallTime now);

// `secrets: {NAME: …}`; an absent node is an empty table.
SecretTable read_secret_table(const conf::Node& node, const conf::SecretSource& source, conf::Problems& problems);

// What one source, destination or command line gives its schemes.
struct Keyring {
  SecretTable secrets;
  Params params;
  std::string folder = {};  // where files of keys start
};

// $secret.NAME while a scheme is at work: the first value valid at `now`. Never listed.
class LentSecrets final : public rules::Table {
 public:
  LentSecrets(const SecretTable& secrets, WallTime now) : secrets_(secrets), now_(now) {}
  bool find(std::string_view name, rules::Arena& arena, rules::Value& out) const override;
  // `value` in place of what `name` holds, to try one value after the other; must outlive the use. Empty name: none.
  void put(std::string_view name, std::string_view value) {
    name_ = name;
    value_ = value;
  }

 private:
  const SecretTable& secrets_;
  WallTime now_;
  std::string_view name_, value_;
};

}  // namespace belay::signature
