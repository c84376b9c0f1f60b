#include "signature/public_prover.h"

#include "base/bytes.h"

namespace belay::signature {

namespace {

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
    bool matches = false;
    std::vector<std::string> texts = render(work);
    ring_.each(work, id, finding, [&](const PublicKey& key) {
      finding.reason = "the signature does not match";
      for (const std::string& text : texts) {
        for (const std::string& signature : signatures) matches = matches || key.verify(algorithm_, text, signature);
      }
    });
    return matches ? Finding{} : finding;
  }

  Result<std::string> make(Work& work) const override {
    const std::vector<std::string> texts = render(work);
    if (texts.empty()) return invalid("the request lacks something that this scheme signs");
    std::string id;
    if (rule_.chooses() && !rule_.chosen(work, id)) return invalid("the request does not say which key");
    Finding finding;
    Result<std::string> made = invalid("no key is valid now, or the keys cannot be fetched");
    ring_.each(work, id, finding, [&](const PublicKey& key) {
      if (!made.ok()) made = key.sign(algorithm_, texts.front());
    });
    if (!made) return made;
    return encode(encoding_, *made);
  }

  bool covers_body() const override { return all_read(overs_, rules::Variable::raw); }

 private:
  // Public-key signatures are checked over a whole text: one copy of the body for each alternative.
  std::vector<std::string> render(Work& work) const {
    std::vector<std::string> texts;
    for (const auto& over : overs_) {
      std::string text;
      if (feed(*over, work, [&text](std::string_view piece) { text += piece; })) texts.push_back(std::move(text));
    }
    return texts;
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
    location_ = KeyLocation::build(keys, names, problems);
    return problems.all().size() == before;
  }
  for (const KeyBytes& value : rule.find(keyring, where, problems)) {
    auto parsed = parse_public_keys(value.bytes);
    if (!parsed) {
      problems.add(where, "secret '" + printable(rule.secret) + "' is no public key: " + parsed.error().message);
      continue;
    }
    known_.push_back({value.window, std::move(*parsed)});
  }
  return problems.all().size() == before;
}

std::unique_ptr<Prover> build_public_prover(const ProverSettings& settings, KeyRule rule, conf::Problems& problems) {
  return std::make_unique<PublicProver>(*public_algorithm_named(settings.algorithm), settings, std::move(rule), problems);
}

}  // namespace belay::signature
