// A signature scheme: what `verify` of rules.md says, compiled with the secrets and parameters of one source. One check, a list
// of checks that must all hold (those that apply, at least one), or any of several. Const after build(), used by one thread at
// a time (its MACs keep scratch state). Limits: kMaxChecks, kMaxDepth, and those of a check. Failure: a finding whose reason
// says what is wrong, never what was expected.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "signature/check.h"

namespace belay::signature {

class Scheme {
 public:
  static constexpr size_t kMaxChecks = 8;
  static constexpr int kMaxDepth = 3;

  // `where` is the place to name when a secret is missing or cannot be a key; without a line: the check. Null with problems
  // recorded. `beside`: keys of the same mapping that are not the scheme's. `replay`: in place of the scheme's own.
  static std::unique_ptr<Scheme> build(const conf::Node& node, Keyring keyring, const conf::Position& where,
                                       conf::Problems& problems, std::span<const conf::Setting> beside = {},
                                       const conf::Node& replay = {});

  // Whether the request is genuine at `now`. `keys` may be null: schemes whose keys are fetched then find them unavailable.
  // `proven`, when given and the request is genuine and the scheme tells replays: hashes of what was signed, the same however
  // the signature is written and whatever stands unsigned beside it.
  Finding check(payload::RequestContext& context, WallTime now, KeySource* keys = nullptr, std::string* proven = nullptr) const;

  // How long the same signed request is refused when it comes again; 0: it may come again.
  Duration replay() const { return replay_; }

  // $ts of a request, as its sender wrote it and not judged; empty when there is none.
  std::string timestamp_of(payload::RequestContext& context) const;

  // Whether sign() can put what it makes anywhere, with the secrets alone.
  bool can_sign() const { return root_->can_sign(); }

  Trust trust() const { return root_->trust(); }
  // Whether the address it signs is made with the host that the request itself names: no params.url says which.
  bool trusts_request_host() const { return root_->covers_url() && !url_is_given_; }
  // Whether its time stands in this header field: sign() keeps one that is there already.
  bool dates_with(std::string_view field) const { return root_->dates_with(field); }
  const Keyring& keyring() const { return *keyring_; }

  // What a sender adds to the request: header fields, and query parameters ("k=…") for schemes that have some; the whole body
  // when the proof stands in it.
  struct Signed {
    std::vector<std::pair<std::string, std::string>> fields;
    std::string query;
    std::optional<std::string> body;
  };
  // Headers that the scheme signs and the request lacks are made up (ids).
  Result<Signed> sign(payload::RequestContext& request, WallTime now, KeySource* keys = nullptr) const;

 private:
  Scheme() = default;
  void read_replay(const conf::Node& replay, conf::Problems& problems);

  std::unique_ptr<const Keyring> keyring_;  // its checks point into it
  std::unique_ptr<Check> root_;
  Duration replay_{};
  bool url_is_given_ = false;  // params.url, and something reads $url
};

// $url for a request whose sender knows the endpoint as `given` (params.url): with the request's query, where it has one.
std::string public_url(std::string_view given, const payload::RequestView& request);

}  // namespace belay::signature
