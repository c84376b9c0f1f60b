// What expressions read: one request as rules::Context. The payload is parsed at most once, and only when a rule reads it.
// $ts, $secret and their like answer only while a scheme is being checked or made (lend()). Owner: the exchange (one for all its
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

// Lent to a context for as long as a scheme is at work. A table that is not there is empty.
struct Lent {
  std::string_view timestamp;                // $ts
  const rules::Table* secrets = nullptr;     // $secret
  const rules::Table* params = nullptr;      // $param
  const rules::Table* signature = nullptr;   // $signature: the named parts of what is checked
  rules::Value item;                         // $item: of what `each` lists
  std::string_view url;                      // $url as the sender knows it; empty: the request's
};

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

  // What only signature schemes and handshakes may read, from now on; must outlive the use. Null: nothing.
  void lend(const Lent* lent) { lent_ = lent; }
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
  const Lent* lent_ = nullptr;
  std::string url_;
};

}  // namespace belay::payload
