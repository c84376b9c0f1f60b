// handshake: answers the challenges senders use to make sure of an endpoint before they send (Slack's url_verification
// and its like). Data in the presets: when it is one, whether its signature must be right, what is echoed, how. What is
// echoed must look like a token (kMaxToken bytes of token characters; when a secret has a part in the answer, kMaxSigned
// bytes of base64), and the answer is made of nothing else of the request, so that nobody can have foreign text signed or
// served. Expressions read $secret and, where the source has a scheme with a time, $ts. Bodies over kMaxBody are never challenges and are not looked at.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "signature/scheme.h"
#include "pipeline/module.h"
#include "rules/template.h"

namespace belay::modules {

class Handshake final : public pipeline::Handler {
 public:
  static constexpr size_t kMaxToken = 512;
  static constexpr size_t kMaxSigned = 128;
  static constexpr size_t kMaxBody = 8 << 10;
  static constexpr size_t kMaxChallenges = 8;

  // `scheme` may be null when no challenge needs it. Null with problems recorded.
  static std::unique_ptr<Handshake> build(const conf::Node& node, std::unique_ptr<const signature::Scheme> scheme,
                                          signature::SecretTable secrets, conf::Problems& problems);

  pipeline::Verdict handle(pipeline::Exchange& exchange) const override;

 private:
  struct Challenge {
    std::unique_ptr<rules::Expression> when;
    std::unique_ptr<rules::Expression> token;  // null: nothing is echoed
    bool verified = true;
    int status = 200;
    std::string head;
    std::unique_ptr<rules::Template> body;
    bool reads(rules::Variable variable) const;
  };
  bool read(const conf::Node& node, conf::Problems& problems, Challenge& out) const;
  pipeline::Verdict answer(const Challenge& challenge, std::string_view timestamp, const signature::LentSecrets& secrets,
                           pipeline::Exchange& exchange) const;

  std::vector<Challenge> challenges_;
  std::unique_ptr<const signature::Scheme> scheme_;
  signature::SecretTable secrets_;  // $secret
  bool reads_time_ = false;
};

// True when any challenge of the node must be verified, so that a scheme is needed.
bool needs_scheme(const conf::Node& node);

extern const pipeline::Module kHandshake;

}  // namespace belay::modules
