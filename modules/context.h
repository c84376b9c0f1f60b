// What expressions of the modules read: one request as rules::Context. Made by the first module that needs it and kept
// in the exchange, so that the payload is parsed at most once a request, and only when a rule reads it. $ts and $secret
// answer only while a scheme is being checked (lend()). Failure: an unreadable payload is an error value of the
// expression.
#pragma once

#include <string>
#include <string_view>

#include "modules/secrets.h"
#include "pipeline/exchange.h"
#include "rules/context.h"

namespace belay::modules {

class RequestContext final : public rules::Context {
 public:
  // Pairs of a form body; one with more is unreadable. A query string is bounded by limits.header.
  static constexpr size_t kMaxFormPairs = 10'000;

  explicit RequestContext(const pipeline::Exchange& exchange);
  ~RequestContext() override;

  // The exchange's context; made on the first call.
  static RequestContext& of(pipeline::Exchange& exchange);

  rules::Value payload() override;
  rules::Value variable(rules::Variable name) override;
  bool path_part(std::string_view name, rules::Value& out) override;

  // What $ts and $secret are from now on; both must outlive the use. Null secrets: $secret is empty.
  void lend(std::string_view timestamp, const SecretTable* secrets, WallTime now) {
    timestamp_ = timestamp;
    secrets_ = secrets;
    secrets_at_ = now;
  }
  // The public URL senders sign when it is not the one of the request (a proxy in front rewrites it).
  void set_url(std::string url) { url_ = std::move(url); }

 private:
  struct Tables;
  Tables& tables();
  rules::Value unreadable(std::string_view why);
  rules::Value form();
  rules::Value client();
  rules::Value event();

  const pipeline::Exchange& exchange_;
  std::unique_ptr<Tables> tables_;
  std::string_view timestamp_;
  const SecretTable* secrets_ = nullptr;
  WallTime secrets_at_{};
  std::string url_;
};

}  // namespace belay::modules
