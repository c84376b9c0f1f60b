// handshake: answers the challenges senders use to make sure of an endpoint before they send (Slack's url_verification
// and its like). Data in the presets: when it is one, whether its signature must be right, what is echoed, how. What is
// echoed must look like a token (kMaxToken bytes of token characters; when a secret has a part in the answer, kMaxSigned
// bytes of base64), and the answer is made of nothing else of the request, so that nobody can have foreign text signed or
// served. Expressions read $secret, $param and, where the source has a scheme with a time, $ts. Bodies over kMaxBody are never
// challenges and are not looked at.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pipeline/module.h"
#include "rules/template.h"
#include "signature/scheme.h"

namespace belay::modules {

class Handshake final : public pipeline::Handler {
 public:
  static constexpr size_t kMaxToken = 512;
  static constexpr size_t kMaxSigned = 128;
  static constexpr size_t kMaxFreeText = 2048;
  static constexpr size_t kMaxBody = 8 << 10;
  static constexpr size_t kMaxChallenges = 8;

  // `scheme` may be null when no challenge needs it. Null with problems recorded.
  static std::unique_ptr<Handshake> build(const conf::Node& node, std::unique_ptr<const signature::Scheme> scheme,
                                          signature::Keyring keyring, conf::Problems& problems);

  pipeline::Verdict handle(pipeline::Exchange& exchange) const override;

 private:
  struct Challenge {
    std::unique_ptr<rules::Expression> when;
    std::unique_ptr<rules::Expression> token;  // null: nothing is echoed
    bool verified = true;
    int status = 200;
    bool free_text = false;  // the token may be any printable text
    bool quiet = false;      // a refusal has no body
    std::string head;
    std::vector<std::pair<std::string, std::unique_ptr<rules::Template>>> headers;
    std::unique_ptr<rules::Template> body;
    bool reads(rules::Variable variable) const;
    bool answer_reads(rules::Variable variable) const;
    bool signs() const { return answer_reads(rules::Variable::secret); }
  };
  bool read(const conf::Node& node, conf::Problems& problems, Challenge& out) const;
  bool read_respond(const conf::Node& node, const rules::Names& names, conf::Problems& problems, Challenge& out) const;
  std::string timestamp_of(pipeline::Exchange& exchange) const;
  pipeline::Verdict conclude(const Challenge& challenge, pipeline::Exchange& exchange, const signature::Finding& finding) const;
  pipeline::Verdict answer(const Challenge& challenge, pipeline::Exchange& exchange) const;
  static bool fits(const Challenge& challenge, signature::Work& work);
  static bool respond(const Challenge& challenge, signature::Work& work, pipeline::Reply& reply);

  std::vector<Challenge> challenges_;
  std::unique_ptr<const signature::Scheme> scheme_;
  signature::Keyring keyring_;  // $secret, $param
  bool reads_time_ = false;
};

// True when any challenge of the node must be verified, so that a scheme is needed.
bool needs_scheme(const conf::Node& node);

extern const pipeline::Module kHandshake;

}  // namespace belay::modules
