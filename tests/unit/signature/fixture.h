// A scheme from rules text, and a request by hand.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "signature/scheme.h"

namespace belay::test {

using Pairs = std::vector<std::pair<std::string, std::string>>;

struct Request {
  explicit Request(Pairs fields_in = {}, std::string body_in = "{}", std::string target_in = "/hook")
      : fields(std::move(fields_in)), body(std::move(body_in)), target(std::move(target_in)) {}

  payload::RequestContext& context() {
    head = {};
    head.method = "POST";
    head.target = target;
    head.path = head.target.substr(0, head.target.find('?'));
    if (head.path.size() < head.target.size()) head.query = head.target.substr(head.path.size() + 1);
    head.host = "example.com";
    for (const auto& [name, value] : fields) head.fields.add(name, value);
    made = std::make_unique<payload::RequestContext>(payload::RequestView{.head = &head, .body = body, .tls = true, .received = now});
    return *made;
  }

  Pairs fields;
  std::string body, target;
  WallTime now = wall_from_ms(1'760'000'000'000);
  http::RequestHead head;
  std::unique_ptr<payload::RequestContext> made;
};

class Rules {
 public:
  explicit Rules(const std::string& verify, std::vector<std::pair<std::string, std::string>> secrets = {{"signing", "k1"}},
                 signature::Params params = {}) {
    document_ = conf::Document::parse("verify: " + verify, "test.yaml", problems_);
    REQUIRE_MESSAGE(document_ != nullptr, problems_.to_string());
    signature::Keyring keyring{{}, std::move(params)};
    for (const auto& [name, value] : secrets)
      keyring.secrets[name].push_back({.value = value, .valid_from = {}, .valid_until = {}});
    scheme_ = signature::Scheme::build(document_->root().at("verify"), std::move(keyring), {}, problems_);
  }

  bool built() const { return scheme_ != nullptr; }
  std::string problems() const { return problems_.to_string(); }
  const signature::Scheme& scheme() const {
    REQUIRE_MESSAGE(scheme_ != nullptr, problems_.to_string());
    return *scheme_;
  }
  // "" when genuine, else the reason.
  std::string check(Request request, signature::KeySource* keys = nullptr) const {
    const auto finding = scheme().check(request.context(), request.now, keys);
    return finding.genuine() ? std::string() : std::string(finding.reason);
  }
  // The request with what a sender adds.
  Request sign(Request request) const {
    auto made = scheme().sign(request.context(), request.now);
    REQUIRE_MESSAGE(made.ok(), made.error().message);
    request.fields.insert(request.fields.end(), made->fields.begin(), made->fields.end());
    if (!made->query.empty()) request.target += (request.target.find('?') == std::string::npos ? "?" : "&") + made->query;
    return Request(request.fields, request.body, request.target);
  }

 private:
  conf::Problems problems_;
  std::shared_ptr<const conf::Document> document_;
  std::unique_ptr<signature::Scheme> scheme_;
};

}  // namespace belay::test
