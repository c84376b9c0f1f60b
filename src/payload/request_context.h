// What expressions read: one request as rules::Context. The payload is parsed at most once, and only when a rule reads it.
// $ts and $secret answer only while a scheme is being checked or made (lend()). Owner: the exchange (one for all its
// modules), or whoever signs. One request, one thread. Failure: an unreadable payload is an error value of the expression.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "payload/payload.h"
#include "payload/request_view.h"
#include "rules/context.h"

namespace belay::payload {

class RequestContext final : public rules::Context {
 public:
  explicit RequestContext(const RequestView& view);
  ~RequestContext() override;

  const RequestView& view() const { return view_; }
  // The same request, of which more is known by now (its body, its source). What expressions found before stays.
  void set_view(const RequestView& view) { view_ = view; }

  rules::Value payload() override;
  rules::Value variable(rules::Variable name) override;
  bool path_part(std::string_view name, rules::Value& out) override;

  // What $ts and $secret are from now on; both must outlive the use. Null secrets: $secret is empty.
  void lend(std::string_view timestamp, const rules::Table* secrets) {
    timestamp_ = timestamp;
    secrets_ = secrets;
  }
  // The public URL senders sign when it is not the one of the request (a proxy in front rewrites it).
  void set_url(std::string url) { url_ = std::move(url); }

 private:
  struct Tables;
  Tables& tables();
  Payload& body();
  rules::Value client();
  rules::Value event();

  RequestView view_;
  std::optional<Payload> body_;
  std::unique_ptr<Tables> tables_;
  std::string_view timestamp_;
  const rules::Table* secrets_ = nullptr;
  std::string url_;
};

}  // namespace belay::payload
