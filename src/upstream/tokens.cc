#include "upstream/tokens.h"

#include <algorithm>

#include "base/log.h"
#include "base/masked_url.h"
#include "upstream/client_impl.h"

namespace belay::upstream {

Tokens::Entry& Tokens::entry_of(const std::shared_ptr<const OAuth2>& of) {
  if (const auto found = entries_.find(of.get()); found != entries_.end()) return *found->second;
  // Those of destinations that a reload has taken away.
  std::erase_if(entries_, [](const auto& entry) { return entry.second->of.use_count() == 1 && entry.second->call == nullptr; });
  auto& entry = entries_[of.get()];
  entry = std::make_unique<Entry>();
  entry->of = of;
  return *entry;
}

Tokens::Known Tokens::known(const std::shared_ptr<const OAuth2>& of) {
  Entry& entry = entry_of(of);
  const MonotonicTime now = loop_.now();
  const bool valid = !entry.authorization.empty() && now < entry.expires;
  if (valid && now >= entry.renew_at && now >= entry.failed_until) ask(entry);
  if (valid) return {&entry.authorization, nullptr};
  if (now < entry.failed_until) return {nullptr, &entry.error};
  return {};
}

void Tokens::wait(const std::shared_ptr<const OAuth2>& of, std::function<void()> done) {
  Entry& entry = entry_of(of);
  entry.waiting.push_back(std::move(done));
  ask(entry);
}

void Tokens::drop(const OAuth2& of, std::string_view authorization) {
  const auto found = entries_.find(&of);
  if (found != entries_.end() && found->second->authorization == authorization) found->second->authorization.clear();
}

void Tokens::ask(Entry& entry) {
  if (entry.call != nullptr) return;
  auto request = entry.of->request(loop_.wall());
  if (!request) {
    return loop_.post([this, of = std::weak_ptr(entry.of), alive = std::weak_ptr(alive_)] {
      const auto living = alive.lock();
      const auto wanted = of.lock();
      if (living && wanted) failed(entry_of(wanted), "no value of client_secret is valid now: see valid_from and valid_until in the rules");
    });
  }
  entry.request = std::move(*request);
  entry.fields.clear();
  entry.fields.add("Content-Type", "application/x-www-form-urlencoded");
  entry.fields.add("Accept", "application/json");
  if (!entry.request.authorization.empty()) entry.fields.add("Authorization", entry.request.authorization);
  Outbound outbound;
  outbound.method = "POST";
  outbound.fields = &entry.fields;
  outbound.body = entry.request.body;
  outbound.has_body = true;
  entry.call = client_.send(entry.of->endpoint, outbound, [this, &entry](const Attempt& attempt) { landed(entry, attempt); });
}

void Tokens::landed(Entry& entry, const Attempt& attempt) {
  auto token = read_token(attempt);
  entry.call.reset();
  entry.request = {};
  if (!token) return failed(entry, token.error().message);
  const MonotonicTime now = loop_.now();
  entry.authorization = "Bearer " + token->value;
  entry.expires = now + std::max(token->lifetime - kGuard, token->lifetime / 2);
  entry.renew_at = now + token->lifetime - std::min(kMargin, token->lifetime / 2);
  entry.failed_until = {};
  entry.error.clear();
  for (const auto& done : std::exchange(entry.waiting, {})) done();
}

void Tokens::failed(Entry& entry, std::string why) {
  log::warn("no access token from {}: {}", masked_url(entry.of->endpoint->name), why);
  entry.error = "no access token: " + std::move(why);
  entry.failed_until = loop_.now() + kFailureMemory;
  for (const auto& done : std::exchange(entry.waiting, {})) done();
}

}  // namespace belay::upstream
