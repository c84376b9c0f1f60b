// The parts of a destination's settings that fill a file of their own; for destination.cc.
#pragma once

#include "conf/configuration.h"
#include "conf/section.h"
#include "upstream/destination.h"

namespace belay::upstream {

// `retry` of a destination: { preset: NAME }, { schedule: [...] } or { first, factor, max, attempts, jitter }.
RetryPolicy read_retry(const conf::Node& node, const conf::Configuration& configuration, conf::Problems& problems);

// `breaker`: { failures, of_last, open_for }.
BreakerRule read_breaker(const conf::Node& node, conf::Problems& problems);

// `health`: { path, every, timeout }.
HealthRule read_health(const conf::Node& node, conf::Problems& problems);

// `auth`: one of bearer, basic, header, oauth2. Fills authorization, auth_headers or oauth2; `into` has its timeout, tls and
// network already.
void read_auth(const conf::Node& node, const conf::SecretSource& secrets, conf::Problems& problems, Destination& into);

// `auth.oauth2`: { token_url, client_id, client_secret, scope, audience, auth }. Null with problems recorded.
std::shared_ptr<const OAuth2> read_oauth2(const conf::Node& node, const conf::SecretSource& secrets, conf::Problems& problems, const Destination& of);

// `sign`: { preset: NAME, secret: … }, or a scheme with its secret beside it; `secrets` by name where it has several. Null with
// problems recorded.
std::shared_ptr<const signature::Scheme> read_sign(const conf::Node& node, const conf::Configuration& configuration,
                                                   const conf::SecretSource& secrets, conf::Problems& problems);

// `headers`: { set, remove }. Fields that frame the message are refused.
void read_headers(const conf::Node& node, const conf::SecretSource& secrets, conf::Problems& problems, Destination& into);

}  // namespace belay::upstream
