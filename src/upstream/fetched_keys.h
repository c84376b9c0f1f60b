// Public keys that senders publish (JWKS, certificates), fetched by URL. One per loop, owned by the worker beside its Fetcher.
// A document is parsed once, when it has arrived. For a key that it lacks it is fetched again, once every kReadAgain, so that
// tokens made up by anybody cost the sender nothing. Limits: kMaxUrls documents; of those that have verified nothing
// the one asked for longest ago makes room, then of the others.
// Failure: unavailable, also for a document that holds no key we can use, and for a key that the last one lacks while the
// endpoint fails.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "signature/key_source.h"
#include "upstream/fetcher.h"

namespace belay::upstream {

class FetchedKeys final : public signature::KeySource {
 public:
  static constexpr size_t kMaxUrls = 256;
  static constexpr Duration kReadAgain{60'000};  // a document that lacks what is looked for is asked for again then, not sooner
  static constexpr Duration kYoung{1'000};       // one that has just arrived lacks nothing that a newer one would have

  explicit FetchedKeys(Fetcher& fetcher) : fetcher_(fetcher) {}

  Answer get(const std::string& url, Need need) override;
  void when_known(const std::string& url, std::function<void()> done) override;
  void note_proven(const std::string& url) override;
  bool is_proven(const std::string& url) const override;

 private:
  struct Entry {
    Fetcher::Endpoint from;  // null: no such address can be asked
    std::shared_ptr<const Document> document;
    std::shared_ptr<const signature::PublicKeys> keys;  // of `document`; null: it has none
    uint64_t used = 0;
    bool proven = false;  // makes room after all that are not
    MonotonicTime again_from{};  // when a newer document than the one known may be asked for
  };
  Answer newer(Entry& entry);
  Entry& entry_of(const std::string& url);
  void read(Entry& entry, const std::shared_ptr<const Document>& document);

  Fetcher& fetcher_;
  std::shared_ptr<event::ClientTls> tls_;  // reading the system's authorities takes milliseconds: once
  std::unordered_map<std::string, Entry> entries_;
  uint64_t uses_ = 0;
};

}  // namespace belay::upstream
