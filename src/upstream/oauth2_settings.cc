// Settings of auth.oauth2.
#include <algorithm>

#include "conf/documented.h"
#include "upstream/oauth2.h"
#include "upstream/settings.h"

namespace belay::upstream {

namespace {

constexpr conf::Setting kOAuth2[] = {
    {.key = "token_url", .required = true, .help = "the token endpoint: https://login.example.com/oauth2/token"},
    {.key = "client_id", .required = true, .help = "who we are there"},
    {.key = "client_secret", .type = conf::Type::secrets, .required = true, .help = "how we prove it"},
    {.key = "scope", .help = "what is asked for, words with blanks between them"},
    {.key = "audience", .help = "for issuers that want it beside the scope"},
    {.key = "auth", .fallback = "basic", .range = "basic|post", .help = "where the client secret goes: an Authorization field, or the form"},
};
const conf::Documented kDestinationsAuthOauth2Documented("destinations.NAME.auth.oauth2", kOAuth2);

}  // namespace

std::shared_ptr<const OAuth2> read_oauth2(const conf::Node& node, const conf::SecretSource& secrets, conf::Problems& problems, const Destination& of) {
  const size_t before = problems.all().size();
  if (!node.is_map()) {
    problems.add(node.position(), "auth.oauth2 must be a mapping",
                 "write oauth2: { token_url: https://…, client_id: NAME, client_secret: \"${env:SECRET}\" }");
    return nullptr;
  }
  const conf::Section section(node, kOAuth2, problems, &secrets);
  auto made = std::make_shared<OAuth2>();
  made->client_id = section.text("client_id");
  made->client_secret = FieldValue(section.secrets("client_secret"));
  made->scope = section.text("scope");
  made->audience = section.text("audience");
  made->secret_in_body = section.text("auth") == "post";
  if (problems.all().size() != before) return nullptr;
  auto endpoint = make_endpoint(section.text("token_url"), {.timeout = std::min(of.timeout, EndpointRules::kTimeout), .network_allow = of.network_allow, .tls = of.tls});
  if (!endpoint) {
    section.wrong("token_url", endpoint.error().message);
    return nullptr;
  }
  made->endpoint = std::move(endpoint).value();
  return made;
}

}  // namespace belay::upstream
