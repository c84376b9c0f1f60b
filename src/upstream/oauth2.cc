#include "upstream/oauth2.h"

#include <algorithm>

#include "base/bytes.h"
#include "json/document.h"

namespace belay::upstream {

namespace {

Error unavailable(std::string why) { return {ErrorKind::unavailable, std::move(why)}; }

// Visible ASCII without blanks, as an Authorization value needs it (RFC 6750 §2.1 is narrower; not every issuer is).
bool is_token_text(std::string_view text) {
  return !text.empty() && text.size() <= AccessToken::kMaxLength &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

std::string member(const json::Document& document, std::string_view name) {
  const json::Ref value = document.find(document.root(), name);
  if (value == json::kNone || document.type(value) != json::Type::string) return {};
  std::string scratch;
  return std::string(document.string(value, scratch));
}

}  // namespace

std::optional<OAuth2::Request> OAuth2::request(WallTime now) const {
  const std::string* const secret = client_secret.at(now);
  if (secret == nullptr) return std::nullopt;
  Request made;
  made.body = "grant_type=client_credentials";
  if (!scope.empty()) made.body += "&scope=" + http::percent_encode(scope);
  if (!audience.empty()) made.body += "&audience=" + http::percent_encode(audience);
  const std::string id = http::percent_encode(client_id), password = http::percent_encode(*secret);
  if (secret_in_body) {
    made.body += "&client_id=" + id + "&client_secret=" + password;
  } else {
    made.authorization = "Basic " + base64_encode(id + ":" + password);  // RFC 6749 §2.3.1: form-encoded first
  }
  return made;
}

Result<AccessToken> read_token(const Attempt& attempt) {
  if (attempt.outcome != Outcome::answered) return unavailable(std::string(to_string(attempt.outcome)) + ": " + attempt.error);
  const auto document = json::Document::parse(attempt.body);
  const bool object = document && (*document)->type((*document)->root()) == json::Type::object;
  if (attempt.status() != 200) {
    const std::string code = object ? member(**document, "error") : std::string();
    return unavailable("status " + std::to_string(attempt.status()) + (is_token_text(code) ? " (" + printable(code, 60) + ")" : ""));
  }
  if (!object) return unavailable("its answer is no JSON object");
  AccessToken token;
  token.value = member(**document, "access_token");
  if (!is_token_text(token.value)) return unavailable("its answer has no access_token");
  if (const std::string type = member(**document, "token_type"); !type.empty() && !ascii_iequals(type, "bearer")) {
    return unavailable("its tokens are of type " + printable(type, 60) + ", not Bearer");
  }
  token.lifetime = AccessToken::kUsualLifetime;
  const json::Ref expires = (*document)->find((*document)->root(), "expires_in");
  if (expires != json::kNone) {
    std::string scratch;  // some issuers write the number as text
    const auto type = (*document)->type(expires);
    const auto seconds = conf::parse_number(type == json::Type::string ? (*document)->string(expires, scratch) : (*document)->raw(expires));
    if (seconds && *seconds > 0) {
      const double most = static_cast<double>(AccessToken::kMostLifetime.count());
      token.lifetime = Duration(static_cast<int64_t>(std::min(*seconds * 1000, most)));
    }
  }
  return token;
}

}  // namespace belay::upstream
