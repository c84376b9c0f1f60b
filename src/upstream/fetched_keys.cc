#include "upstream/fetched_keys.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/masked_url.h"

namespace belay::upstream {

FetchedKeys::Entry& FetchedKeys::entry_of(const std::string& url) {
  if (const auto found = entries_.find(url); found != entries_.end()) {
    found->second.used = ++uses_;
    return found->second;
  }
  if (entries_.size() >= kMaxUrls) {
    entries_.erase(std::min_element(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
      return std::pair(a.second.proven, a.second.used) < std::pair(b.second.proven, b.second.used);
    }));
  }
  Entry& entry = entries_[url];
  entry.used = ++uses_;
  if (tls_ == nullptr) {
    auto made = event::ClientTls::create({});
    if (made) tls_ = std::move(made).value();
  }
  auto endpoint = make_endpoint(url, {.tls = tls_});
  if (endpoint) {
    entry.from = std::move(endpoint).value();
  } else {
    log::warn("keys cannot be fetched: {}", endpoint.error().message);
  }
  return entry;
}

void FetchedKeys::read(Entry& entry, const std::shared_ptr<const Document>& document) {
  entry.document = document;
  entry.keys = nullptr;
  auto keys = signature::parse_public_keys(document->body);
  if (!keys) return log::warn("{}: {}", masked_url(entry.from->name), keys.error().message);
  entry.keys = std::make_shared<const signature::PublicKeys>(std::move(keys).value());
}

signature::KeySource::Answer FetchedKeys::get(const std::string& url, Need need) {
  Entry& entry = entry_of(url);
  if (entry.from == nullptr) return {};
  const bool unreadable = entry.document != nullptr && entry.keys == nullptr;
  const Fetcher::Known known = fetcher_.known(*entry.from, unreadable ? kReadAgain : Duration::max());
  if (known.standing == Fetcher::Standing::ask) {
    fetcher_.fetch(entry.from, [] {});
    return {State::pending, nullptr};
  }
  if (known.document == nullptr) return {};
  if (known.document != entry.document) read(entry, known.document);
  if (entry.keys == nullptr) return {};
  return need == Need::newer ? newer(entry) : Answer{State::ready, entry.keys};
}

signature::KeySource::Answer FetchedKeys::newer(Entry& entry) {
  if (fetcher_.is_fetching(*entry.from)) return {State::pending, nullptr};
  const MonotonicTime now = fetcher_.now();
  const bool fails = !fetcher_.error(*entry.from).empty();
  if (!fails && (now - entry.document->fetched < kYoung || now < entry.again_from)) return {State::ready, entry.keys};
  // While it fails, its failures are what is remembered, not the document.
  if (fetcher_.known(*entry.from, Duration(-1)).standing != Fetcher::Standing::ask) return {};
  entry.again_from = now + kReadAgain;
  fetcher_.fetch(entry.from, [] {});
  return {State::pending, nullptr};
}

void FetchedKeys::when_known(const std::string& url, std::function<void()> done) {
  Entry& entry = entry_of(url);
  BELAY_CHECK_NOTE(entry.from != nullptr, "when_known() of a URL that is not pending");
  fetcher_.fetch(entry.from, std::move(done));
}

void FetchedKeys::note_proven(const std::string& url) {
  if (const auto found = entries_.find(url); found != entries_.end()) found->second.proven = true;
}

bool FetchedKeys::is_proven(const std::string& url) const {
  const auto found = entries_.find(url);
  return found != entries_.end() && found->second.proven;
}

}  // namespace belay::upstream
