// Checks signatures made with a private key, against keys from the secrets or from where the sender publishes them.
#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include "signature/key_location.h"
#include "signature/keys.h"
#include "signature/prover.h"

namespace belay::signature {

// Public keys as a source has them: the values of a secret, a file beside the rules, or a document by URL.
class KeyRing {
 public:
  // `keys`: FILE, URL or the mapping of KeyLocation; missing: from the secret of `rule`. False with problems recorded.
  bool build(const conf::Node& keys, const KeyRule& rule, const Keyring& keyring, const rules::Names& names,
             const conf::Position& where, conf::Problems& problems);

  bool is_published() const { return location_ != nullptr; }  // by somebody else, at a URL

  // Visits the keys that may be tried at this time, until one fits (`visit` is true): with an `id`, those of that id and those
  // that have none. Fills in `finding` and visits nothing when the keys cannot be had. For an id that the document known lacks a
  // newer one is asked for.
  template <typename Visit>
  bool any(Work& work, std::string_view id, Finding& finding, const Visit& visit) const {
    if (location_) {
      std::string url;
      const auto published = fetch(work, id, finding, url);
      if (!published || !any_of(*published, work, id, visit)) return false;
      if (work.keys != nullptr) work.keys->note_proven(url);
      return true;
    }
    return std::any_of(known_.begin(), known_.end(),
                       [&](const Known& known) { return known.window.valid_at(work.now) && any_of(known.keys, work, id, visit); });
  }

 private:
  template <typename Visit>
  static bool any_of(const PublicKeys& keys, Work& work, std::string_view id, const Visit& visit) {
    return std::any_of(keys.begin(), keys.end(), [&](const PublicKey& key) { return key.valid_at(work.now) && fits(key, id) && visit(key); });
  }
  static bool fits(const PublicKey& key, std::string_view id) { return id.empty() || key.id.empty() || key.id == id; }
  std::shared_ptr<const PublicKeys> fetch(Work& work, std::string_view id, Finding& finding, std::string& url) const;
  void read_file(const conf::Node& node, const Keyring& keyring, conf::Problems& problems);

  struct Known {
    conf::SecretValue window;
    PublicKeys keys;
  };
  std::vector<Known> known_;
  std::unique_ptr<KeyLocation> location_;
};

// For ed25519, ecdsa-… and rsa-….
std::unique_ptr<Prover> build_public_prover(const ProverSettings& settings, KeyRule rule, conf::Problems& problems);

}  // namespace belay::signature
