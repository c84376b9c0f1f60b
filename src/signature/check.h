// One check of a scheme, and checks made of checks. Compiled when rules load; const afterwards, used by one thread at a time.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "conf/section.h"
#include "signature/finding.h"
#include "signature/trust.h"
#include "signature/work.h"

namespace belay::signature {

// A request while it is being signed: what is added is there for the next check to sign.
class Draft {
 public:
  explicit Draft(const payload::RequestView& request);
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  payload::RequestView view() const;
  bool has_field(std::string_view name) const { return head_.fields.find(name) != nullptr; }
  bool has_added(std::string_view name) const;
  void add_field(std::string name, std::string value);
  void add_query(const std::string& name, std::string_view value);
  void set_body(std::string body);

  const std::deque<std::pair<std::string, std::string>>& fields() const { return fields_; }
  const std::string& query() const { return added_query_; }
  const std::optional<std::string>& body() const { return body_; }  // when it was changed

 private:
  payload::RequestView request_;
  http::RequestHead head_;
  std::deque<std::pair<std::string, std::string>> fields_;  // the head's new fields point here
  std::string query_, target_, added_query_;
  std::optional<std::string> body_;
};

// The settings of a check and what else may stand in its mapping.
std::vector<conf::Setting> with_others(std::span<const conf::Setting> own, std::span<const conf::Setting> beside);

// `replay` of a scheme's settings.
inline constexpr std::string_view kReplayRange = "1s..90d";
inline constexpr std::string_view kReplayHelp = "how long the same signed request is refused when it comes again";

class Check {
 public:
  virtual ~Check() = default;
  virtual Finding check(Work& work) const = 0;
  // Adds to the draft what a sender would. False, and nothing, when the check does not apply to it.
  virtual Result<bool> sign(Draft& draft, const Keyring& keyring, const std::string& url, WallTime now,
                            KeySource* keys) const = 0;
  virtual Trust trust() const = 0;
  // Whether a secret or a public key has a part in it. Without, it compares two things that the sender writes both: useful
  // beside other checks only.
  virtual bool proves() const = 0;
  // Whether what it proves can be written by sign(): not into a payload, and not with keys that somebody else publishes.
  virtual bool can_sign() const = 0;
  // Whether what it proves differs from webhook to webhook, so that the same again is a replay.
  virtual bool tells_replays() const = 0;
  // True when a request may pass without this check having looked at it.
  virtual bool conditional() const { return false; }
  // Whether an expression of it reads $url.
  virtual bool reads_url() const = 0;
  // Whether the request's address must be among what is signed.
  virtual bool covers_url() const { return reads_url(); }
  // Whether its time stands in this header field.
  virtual bool dates_with(std::string_view field) const = 0;
  // $ts of a request, as its sender wrote it and not judged; empty when there is none.
  virtual std::string timestamp_of(Work& work) const = 0;
};

}  // namespace belay::signature
