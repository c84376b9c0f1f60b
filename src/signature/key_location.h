// `keys:` of a scheme: where the sender publishes its public keys, and which addresses a request may name for them. A URL that
// comes out of the request is only fetched when it is https on the standard port, its host is one the rules name, and its
// path has the shape they name: else an attacker points it at a key of his own (AWS SNS, PayPal). Compiled when rules load; used
// by one thread at a time, as a scheme is. Limits: kMaxUrl, kMaxUnproven.
//   keys: https://www.googleapis.com/oauth2/v3/certs
//   keys: { url: "{{ SigningCertURL }}", hosts: ["sns.{{ $param.region }}.amazonaws.com"], path: "/SimpleNotificationService-*.pem" }
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "conf/section.h"
#include "rules/template.h"
#include "signature/finding.h"
#include "signature/key_source.h"
#include "signature/params.h"
#include "signature/work.h"

namespace belay::signature {

class KeyLocation {
 public:
  static constexpr size_t kMaxUrl = 2048;
  // Addresses out of requests that may be asked for in a minute before a key of theirs has verified anything. Who makes
  // addresses up has no more fetched for him; others are told to come again.
  static constexpr size_t kMaxUnproven = 16;

  // Whether a text names an address rather than a file.
  static bool is_address(std::string_view text) { return text.find("://") != std::string_view::npos; }

  // Null with problems recorded.
  static std::unique_ptr<KeyLocation> build(const conf::Node& node, const rules::Names& names, const Params& params, conf::Problems& problems);

  // The keys of this request's sender; null with `finding` filled in. A null source: nothing can be fetched here.
  // `url`: where they are.
  std::shared_ptr<const PublicKeys> find(Work& work, KeySource::Need need, Finding& finding, std::string& url) const;

 private:
  bool allows(std::string_view url) const;
  bool may_ask(const std::string& url, const Work& work) const;

  std::string fixed_;                      // the address, unless
  std::unique_ptr<rules::Template> url_;   // the request names it
  std::vector<std::string> hosts_;  // lower case; "*" stands for one label or a part of it
  std::string path_;                // "*" stands for letters, digits, '-' and '_'; empty: any without ".."
  mutable std::vector<std::string> unproven_;  // asked for since `minute_`; one thread, as all of a scheme
  mutable WallTime minute_{};
};

// Whether `text` is `pattern`, where each '*' of the pattern stands for one or more letters, digits, '-' or '_'.
bool matches_stars(std::string_view pattern, std::string_view text);

}  // namespace belay::signature
