// The client credentials grant (RFC 6749 §4.4) of a destination: what is asked of the token endpoint, and what its answer
// means. Immutable, shared, pure. Token and client secret are never logged nor stored.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "upstream/client.h"
#include "upstream/endpoint.h"

namespace belay::upstream {

struct OAuth2 {
  std::shared_ptr<const Destination> endpoint;
  std::string client_id, scope, audience;
  FieldValue client_secret;  // as written
  bool secret_in_body = false;

  struct Request {
    std::string body, authorization;  // authorization: empty when the secret stands in the body
  };
  // nullopt: no value of the secret is valid now.
  std::optional<Request> request(WallTime now) const;
};

struct AccessToken {
  static constexpr Duration kUsualLifetime{300'000};  // without expires_in
  static constexpr Duration kMostLifetime{86'400'000};
  static constexpr size_t kMaxLength = 16 << 10;

  std::string value;
  Duration lifetime{};
};

// The token endpoint's answer (RFC 6749 §5); the error names what the endpoint said, as far as that is a code of the standard's
// form.
Result<AccessToken> read_token(const Attempt& attempt);

}  // namespace belay::upstream
