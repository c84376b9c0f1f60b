#include "admin/tokens.h"

#include <string_view>

#include "base/bytes.h"

namespace belay::admin {

namespace {

std::string_view view(const Sha256& digest) { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }

}  // namespace

Tokens::Tokens(const std::vector<conf::AdminToken>& tokens) {
  for (const conf::AdminToken& token : tokens) {
    for (const conf::SecretValue& value : token.value) {
      if (!value.value.empty()) values_.push_back({sha256({value.value}), callers_.size(), value.valid_from, value.valid_until});
    }
    callers_.push_back({token.name, token.operate ? Role::operate : Role::read});
  }
}

std::optional<Sha256> Tokens::digest_of(const std::string* header) {
  constexpr std::string_view kScheme = "Bearer ";
  if (header == nullptr || header->size() <= kScheme.size()) return std::nullopt;
  if (!ascii_iequals(std::string_view(*header).substr(0, kScheme.size()), kScheme)) return std::nullopt;
  return sha256({trim_ows(std::string_view(*header).substr(kScheme.size()))});
}

std::optional<Caller> Tokens::caller(const std::string* header, WallTime now) const {
  const auto digest = digest_of(header);
  return digest ? caller(*digest, now) : std::nullopt;
}

std::optional<Caller> Tokens::caller(const Sha256& digest, WallTime now) const {
  const Caller* found = nullptr;
  for (const Value& value : values_) {
    const bool valid = (!value.from || *value.from <= now) && (!value.until || now < *value.until);
    // No early end.
    if (constant_time_equals(view(digest), view(value.digest)) && valid) found = &callers_[value.owner];
  }
  return found == nullptr ? std::nullopt : std::optional(*found);
}

}  // namespace belay::admin
