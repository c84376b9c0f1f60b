#include "signature/public_prover.h"

#include <algorithm>
#include <filesystem>

#include "base/bytes.h"

namespace belay::signature {

namespace {

constexpr std::string_view kTooMany = "there are too many keys and signatures to try";

class PublicProver final : public Prover {
 public:
  PublicProver(PublicAlgorithm algorithm, const ProverSettings& settings, KeyRule rule, conf::Problems& problems)
      : algorithm_(algorithm), encoding_(settings.encoding), overs_(*settings.overs), rule_(std::move(rule)) {
    ring_.build(settings.keys, rule_, *settings.keyring, *settings.names, settings.position, problems);
  }

  Finding prove(Work& work, const GivenSignatures& given) const override {
    std::vector<std::string> signatures;
    for (size_t i = 0; i < given.count; ++i) {
      if (auto bytes = decode(encoding_, given.values[i]); bytes && !bytes->empty()) signatures.push_back(std::move(*bytes));
    }
    if (signatures.empty()) return Finding::refused("the signature has not the expected form");
    std::string id;
    if (rule_.chooses() && !rule_.chosen(work, id)) return Finding::refused("the key's id is missing");
    Finding finding = Finding::refused("no key is valid at this time");
    const std::vector<std::string> texts = prepare_all(work);
    const std::string* matched = nullptr;
    ring_.any(work, id, finding, [&](const PublicKey& key) {
      if (finding.reason != kTooMany) finding.reason = "the signature does not match";
      matched = match(key, texts, signatures, work, finding);
      return matched != nullptr;
    });
    if (matched == nullptr) return finding;
    work.note_proven(*matched);
    return {};
  }

  Result<std::string> make(Work& work) const override {
    std::string text;
    if (!feed(*overs_.front(), work, [&text](std::string_view piece) { text += piece; }))
      return invalid("the request lacks something that this scheme signs");
    std::string id;
    if (rule_.chooses() && !rule_.chosen(work, id)) return invalid("the request does not say which key");
    Finding finding;
    Result<std::string> made = invalid("no key is valid now, or the keys cannot be fetched");
    ring_.any(work, id, finding, [&](const PublicKey& key) {
      made = key.sign(algorithm_, text);
      return made.ok();
    });
    if (!made) return made;
    return encode(encoding_, *made);
  }

  bool can_make() const override { return !ring_.is_published(); }
  bool covers_body() const override { return all_hold_raw(overs_); }

 private:
  // What of every alternative is verified. Only Ed25519 needs a copy of the body: it hashes twice.
  std::vector<std::string> prepare_all(Work& work) const {
    std::vector<std::string> texts;
    const auto digest = digest_of(algorithm_);
    for (const auto& over : overs_) {
      std::string text;
      if (!digest) {
        if (feed(*over, work, [&text](std::string_view piece) { text += piece; })) texts.push_back(std::move(text));
        continue;
      }
      const Hash hash(*digest);
      Hash::Room room;
      if (feed(*over, work, [&hash](std::string_view piece) { hash.update(piece); })) texts.emplace_back(hash.finish(room));
    }
    return texts;
  }

  const std::string* match(const PublicKey& key, const std::vector<std::string>& texts, const std::vector<std::string>& signatures, Work& work,
                           Finding& finding) const {
    if (!key.fits(algorithm_)) return nullptr;
    for (const std::string& text : texts) {
      for (const std::string& signature : signatures) {
        if (!work.may_verify()) {
          finding.reason = kTooMany;
          return nullptr;
        }
        if (key.verify_prepared(algorithm_, text, signature)) return &text;
      }
    }
    return nullptr;
  }

  PublicAlgorithm algorithm_;
  Encoding encoding_;
  const Overs& overs_;
  KeyRule rule_;
  KeyRing ring_;
};

}  // namespace

bool KeyRing::build(const conf::Node& keys, const KeyRule& rule, const Keyring& keyring, const rules::Names& names,
                    const conf::Position& where, conf::Problems& problems) {
  const size_t before = problems.all().size();
  if (keys.present()) {
    if (keys.is_scalar() && !KeyLocation::is_address(keys.text())) {
      read_file(keys, keyring, problems);
    } else {
      location_ = KeyLocation::build(keys, names, keyring.params, problems);
    }
    return problems.all().size() == before;
  }
  for (const KeyBytes& value : rule.find(keyring, where, problems)) {
    auto parsed = parse_public_keys(value.bytes);
    if (!parsed) {
      problems.add(where, "secret '" + printable(value.name) + "' is no public key: " + parsed.error().message);
      continue;
    }
    // A secret that the request may name is known by its name, unless the key has an id of its own.
    for (PublicKey& key : *parsed) {
      if (!rule.candidates.empty() && key.id.empty()) key.id = value.name;
    }
    known_.push_back({value.window, std::move(*parsed)});
  }
  return problems.all().size() == before;
}

void KeyRing::read_file(const conf::Node& node, const Keyring& keyring, conf::Problems& problems) {
  const std::filesystem::path file = std::filesystem::path(keyring.folder) / node.text();
  const auto text = belay::read_file(file.string(), kMaxDocument);
  auto keys = text ? parse_public_keys(*text) : Result<PublicKeys>(text.error());
  if (keys) {
    known_.push_back({{}, std::move(*keys)});
  } else {
    problems.add(node.position(), "no keys in " + printable(node.text()) + ": " + keys.error().message,
                 "write a file with a JWKS, JWK, PEM or certificate, beside the main file, or an https:// address");
  }
}

std::shared_ptr<const PublicKeys> KeyRing::fetch(Work& work, std::string_view id, Finding& finding, std::string& url) const {
  const Loan loan(work);
  const auto has_id = [id](const PublicKeys& keys) {
    return std::any_of(keys.begin(), keys.end(), [id](const PublicKey& key) { return fits(key, id); });
  };
  auto keys = location_->find(work, KeySource::Need::any, finding, url);
  if (keys && !has_id(*keys)) {
    keys = location_->find(work, KeySource::Need::newer, finding, url);
    if (keys && !has_id(*keys)) finding = Finding::refused("the sender publishes no key of this id");
  }
  return keys;
}

std::unique_ptr<Prover> build_public_prover(const ProverSettings& settings, KeyRule rule, conf::Problems& problems) {
  return std::make_unique<PublicProver>(*public_algorithm_named(settings.algorithm), settings, std::move(rule), problems);
}

}  // namespace belay::signature
