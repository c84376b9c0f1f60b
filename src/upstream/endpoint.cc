#include "upstream/endpoint.h"

#include "base/bytes.h"
#include "base/masked_url.h"
#include "upstream/private_address.h"

namespace belay::upstream {

namespace {

// Nobody outside can listen on the way there.
bool stays_near(const http::Url& url) {
  if (url.scheme == "unix" || url.host == "localhost") return true;
  const auto address = IpAddress::parse(url.host);
  return address && is_private(*address);
}

}  // namespace

Result<std::shared_ptr<const Destination>> make_endpoint(const std::string& url, const EndpointRules& rules) {
  auto parsed = http::parse_url(url);
  if (!parsed) return parsed.error();
  if (parsed->scheme == "http" && !stays_near(*parsed)) {
    return Error{ErrorKind::invalid, "'" + printable(masked_url(url), 200) + "' is not https: what it answers could be anybody's; write https://, or the private address itself"};
  }
  auto to = std::make_shared<Destination>();
  to->name = url;
  to->timeout = to->connect_timeout = rules.timeout;
  to->network_allow = rules.network_allow;
  to->answer_limit = EndpointRules::kMaxAnswer;
  if (parsed->scheme == "https") {
    to->tls = rules.tls;
    if (to->tls == nullptr) {
      auto made = event::ClientTls::create({});
      if (!made) return made.error();
      to->tls = std::move(made).value();
    }
  }
  to->urls.push_back(std::move(parsed).value());
  return std::shared_ptr<const Destination>(std::move(to));
}

}  // namespace belay::upstream
