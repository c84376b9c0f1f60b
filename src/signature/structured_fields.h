// The part of structured fields (RFC 8941) that message signatures and digests are written in: a dictionary whose members are
// byte sequences (Signature, Content-Digest) or inner lists of strings with parameters (Signature-Input). Strict: what does not
// follow the grammar is refused as a whole. Pure; views into the text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belay::signature {

struct Parameter {
  std::string_view name;
  std::string text;        // of a string or token
  std::optional<int64_t> number;
};

struct ListItem {
  std::string name;      // the string itself
  std::string_view raw;  // as written, with its parameters
  std::vector<Parameter> parameters;
};

struct Member {
  std::string_view key;
  std::string_view raw;             // the value as written
  std::optional<std::string> bytes; // of a byte sequence
  std::vector<ListItem> items;      // of an inner list
  std::vector<Parameter> parameters;

  const Parameter* parameter(std::string_view name) const;
};

constexpr size_t kMaxMembers = 16;  // of a dictionary, of an inner list, and of parameters

// nullopt when the text is not such a dictionary, or names a key twice.
std::optional<std::vector<Member>> parse_dictionary(std::string_view text);

}  // namespace belay::signature
