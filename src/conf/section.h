// Typed settings. A module writes its keys down once, as a table of Setting, and reads a mapping through a Section: the
// table gives defaults, ranges, help, did-you-mean and the generated reference (documented.h), so none of these can go stale.
//
//   constexpr Setting kSettings[] = {
//       {.key = "rate", .type = Type::rate, .required = true, .help = "webhooks allowed per unit of time"},
//       {.key = "burst", .type = Type::integer, .fallback = "0", .range = "0..1000000", .help = "…"},
//   };
//   Section section(node, kSettings, problems);
//   limit.rate = section.rate("rate");
//
// After construction every key of the mapping has been checked against the table. A getter of a key that is wrong or
// missing returns the fallback (or zero), the problem is already recorded: callers build on and fail once at the end.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "conf/node.h"

namespace belay::conf {

enum class Type : uint8_t {
  text,        // any scalar; a list of them where texts() reads it
  boolean,     // true | false
  integer,     // 42
  number,      // 0.5, 50%  (a percentage reads as its fraction)
  duration,    // 30s 5m 12h 30d 500ms
  size,        // 64KB 10MB 20GB (powers of 1024), plain bytes
  rate,        // 100/s 100/min 1000/h
  secrets,     // ${env:NAME}, ${file:PATH} or a literal, or a list of them / {value, valid_from, valid_until}
  expression,  // compiled by rules/; a list of them where texts() reads it
  node,        // checked by the module itself (maps, lists, unions)
};

struct Setting {
  std::string_view key;
  Type type = Type::text;
  std::string_view fallback = {};  // as it would be written; empty: none
  std::string_view range = {};     // "1..100", "1s..1h", "64KB..", or "a|b|c" for words
  bool required = false;
  std::string_view help = {};      // one line: what it is
  std::string_view example = {};   // a value as it would be written, where help and range do not show it
};

struct Rate {
  double per_second = 0;
  std::string text;
};

// One accepted value of a secret. Rotation: any value valid at the time counts.
struct SecretValue {
  std::string value;
  std::optional<WallTime> valid_from;
  std::optional<WallTime> valid_until;
  bool literal = false;  // written in the file itself: `belay check --strict-secrets` refuses it

  bool valid_at(WallTime now) const { return (!valid_from || now >= *valid_from) && (!valid_until || now < *valid_until); }
};
using Secret = std::vector<SecretValue>;

// The units of rules.md, also used by the command line. Errors say what to write.
Result<Duration> parse_duration(std::string_view text);
Result<uint64_t> parse_size(std::string_view text);
Result<Rate> parse_rate(std::string_view text);
Result<double> parse_number(std::string_view text);
Result<WallTime> parse_time(std::string_view text);  // RFC 3339

// Where ${env:} and ${file:} are looked up; files relative to `folder`. An unset variable or unreadable file is a
// problem.
struct SecretSource {
  std::string folder;
  std::function<std::optional<std::string>(const std::string&)> env;  // getenv unless a test sets it
  bool refuse_literals = false;                                       // `belay check --strict-secrets`
};

class Section {
 public:
  Section(const Node& node, std::span<const Setting> settings, Problems& problems,
          const SecretSource* secrets = nullptr);

  bool has(std::string_view key) const;  // written in the file
  const Node& node(std::string_view key) const;
  const Node& self() const { return node_; }

  std::string text(std::string_view key) const;
  bool boolean(std::string_view key) const;
  int64_t integer(std::string_view key) const;
  double number(std::string_view key) const;
  Duration duration(std::string_view key) const;
  uint64_t size(std::string_view key) const;
  Rate rate(std::string_view key) const;
  Secret secrets(std::string_view key) const;
  // A list of scalars, or one scalar as a list of one.
  std::vector<std::string> texts(std::string_view key) const;

  Problems& problems() const { return problems_; }
  // Reports a problem at the value of `key` (at the mapping itself when it is absent).
  void wrong(std::string_view key, std::string what, std::string hint = {}) const;

 private:
  const Setting& setting(std::string_view key) const;

  Node node_;
  std::span<const Setting> settings_;
  Problems& problems_;
  const SecretSource* secrets_;
};

// Reads one scalar node as a secret (for maps of header → secret and the like).
Secret read_secret(const Node& node, const SecretSource& source, Problems& problems);

// Warns at `position` when everybody on this machine may read the file, which holds a secret.
void warn_if_public(const std::string& path, Position position, Problems& problems);

// The nearest of `known` by edit distance, for did-you-mean; empty when nothing is near.
std::string nearest(std::string_view word, std::span<const std::string_view> known);

}  // namespace belay::conf
