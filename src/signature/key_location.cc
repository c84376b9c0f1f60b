#include "signature/key_location.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/ip.h"
#include "conf/documented.h"
#include "http/url.h"

namespace belay::signature {

namespace {

constexpr conf::Setting kSettings[] = {
    {.key = "url", .required = true, .help = "template of the address of a JWKS, certificate or key, as the request names it", .example = "\"{{ SigningCertURL }}\""},
    {.key = "hosts", .type = conf::Type::node, .required = true, .help = "hosts such an address may have, perhaps made of $param; a star is a part of a label", .example = "[\"sns.*.amazonaws.com\"]"},
    {.key = "path", .help = "shape of its path; a star is letters, digits, - and _", .example = "/SimpleNotificationService-*.pem"},
};
const conf::Documented kSourcesVerifyKeysDocumented("sources.NAME.verify.keys", kSettings);

// Nobody can listen on the way to ourselves; a name could lead elsewhere.
bool is_safe(const http::Url& url) {
  const auto address = IpAddress::parse(url.host);
  return url.scheme == "https" || (url.scheme == "http" && address && address->is_loopback());
}

// Of a pattern: what the rules' parameters make must not slip anything else in.
bool is_host_pattern(std::string_view host) {
  return host.find("..") == std::string_view::npos && !host.starts_with('.') &&
         host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-_*") == std::string_view::npos;
}

bool is_label_byte(char c) {
  const char lower = ascii_lower(c);
  return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

}  // namespace

bool matches_stars(std::string_view pattern, std::string_view text) {
  // The farthest place from which a star can still take one byte more.
  size_t at = 0, here = 0, star = std::string_view::npos, taken = 0;
  while (here < text.size()) {
    if (at < pattern.size() && pattern[at] == '*' && is_label_byte(text[here])) {
      star = at++;
      taken = ++here;
    } else if (at < pattern.size() && pattern[at] != '*' && pattern[at] == text[here]) {
      ++at;
      ++here;
    } else if (star != std::string_view::npos && is_label_byte(text[taken])) {
      at = star + 1;
      here = ++taken;
    } else {
      return false;
    }
  }
  return at == pattern.size();
}

std::unique_ptr<KeyLocation> KeyLocation::build(const conf::Node& node, const rules::Names& names,
                                                const Params& params, conf::Problems& problems) {
  const size_t before = problems.all().size();
  std::unique_ptr<KeyLocation> location(new KeyLocation());
  if (node.is_scalar()) {
    const auto url = http::parse_url(node.text());
    if (!url || !is_safe(*url)) {
      problems.add(node.position(), "keys are fetched by https only, or by http from this machine",
                   "write https://HOST/…, http://127.0.0.1:PORT/…, or a file beside the rules");
      return nullptr;
    }
    location->fixed_ = node.text();
    return location;
  }
  const conf::Section section(node, kSettings, problems);
  if (section.has("url")) location->url_ = rules::Template::compile(section.node("url"), names, problems);
  if (section.has("hosts")) {
    const conf::Node& hosts = section.node("hosts");
    for (const conf::Node& host : hosts.is_list() ? hosts.items() : std::vector<conf::Node>{hosts}) {
      const size_t problems_before = problems.all().size();
      location->hosts_.push_back(ascii_lower(with_params(host, params, problems)));
      if (problems.all().size() == problems_before && !is_host_pattern(location->hosts_.back()))
        problems.add(host.position(), "'" + printable(location->hosts_.back()) + "' is no host", "write hosts: [keys.example.com]");
    }
  }
  location->path_ = section.text("path");
  if (problems.all().size() != before) return nullptr;
  if (location->url_->is_constant()) section.wrong("url", "nothing in this address is the request's", "write keys: https://…");
  if (section.has("hosts") && location->hosts_.empty())
    section.wrong("hosts", "an address that the request names needs a host rule", "write hosts: [keys.example.com]");
  if (problems.all().size() != before) return nullptr;
  return location;
}

bool KeyLocation::allows(std::string_view text) const {
  if (text.size() > kMaxUrl || !text.starts_with("https://")) return false;
  const auto url = http::parse_url(text);
  if (!url || url->scheme != "https" || url->port != 443) return false;
  // Written out as it will be asked for: no user, no second spelling of the port, nothing that a fetcher could read otherwise.
  const std::string_view rest = text.substr(8);
  const size_t slash = rest.find('/');
  if (slash == std::string_view::npos || rest.find_first_of("@\\?#%") != std::string_view::npos) return false;
  const std::string host = ascii_lower(rest.substr(0, slash));
  if (std::none_of(hosts_.begin(), hosts_.end(), [&](const std::string& known) { return matches_stars(known, host); }))
    return false;
  const std::string_view path = rest.substr(slash);
  return path.find("..") == std::string_view::npos && (path_.empty() || matches_stars(path_, path));
}

bool KeyLocation::may_ask(const std::string& url, const Work& work) const {
  constexpr Duration kMinute{60'000};
  if (work.keys == nullptr || work.keys->is_proven(url)) return true;
  if (work.now < minute_ || work.now >= minute_ + kMinute) {
    unproven_.clear();
    minute_ = work.now;
  }
  if (std::find(unproven_.begin(), unproven_.end(), url) != unproven_.end()) return true;
  if (unproven_.size() == kMaxUnproven) return false;
  unproven_.push_back(url);
  return true;
}

std::shared_ptr<const PublicKeys> KeyLocation::find(Work& work, KeySource::Need need, Finding& finding, std::string& url) const {
  url.clear();
  if (!url_) {
    url = fixed_;
  } else if (!url_->append(work.context, url).ok()) {
    finding = Finding::refused("the request does not say where its key is");
    return nullptr;
  } else if (!allows(url)) {
    finding = Finding::refused("the key's address is not one the rules allow");
    return nullptr;
  } else if (!may_ask(url, work)) {
    finding = {Finding::Is::unavailable, "too many addresses of keys are asked for", {}};
    return nullptr;
  }
  const KeySource::Answer answer = work.keys != nullptr ? work.keys->get(url, need) : KeySource::Answer{};
  if (answer.state == KeySource::State::ready) return answer.keys;
  const bool pending = answer.state == KeySource::State::pending;
  finding.is = pending ? Finding::Is::pending : Finding::Is::unavailable;
  finding.reason = "the sender's keys cannot be fetched now";
  finding.url = url;
  return nullptr;
}

}  // namespace belay::signature
