#include "signature/prover.h"

#include <algorithm>

#include "base/bytes.h"
#include "signature/digest.h"
#include "signature/jwt.h"
#include "signature/key_location.h"
#include "signature/keys.h"
#include "signature/public_prover.h"

namespace belay::signature {

namespace {

constexpr std::string_view kNoForm = "the signature has not the expected form";
constexpr std::string_view kNoMatch = "the signature does not match";
constexpr std::string_view kNoKey = "no key is valid at this time";

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = ascii_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool decode_hex(std::string_view text, size_t size, char* out) {
  if (text.size() != size * 2) return false;
  for (size_t i = 0; i < size; ++i) {
    const int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<char>(high * 16 + low);
  }
  return true;
}

// Signatures of one size, decoded into place.
struct Decoded {
  Decoded(const GivenSignatures& given, Encoding encoding, size_t size_in) : size(size_in) {
    for (size_t i = 0; i < given.count; ++i) {
      if (decode_into(encoding, given.values[i], size, rooms[count].data())) ++count;
    }
  }
  bool holds(std::string_view made) const {
    bool found = false;
    for (size_t i = 0; i < count; ++i) {
      if (constant_time_equals(made, {rooms[i].data(), size})) found = true;
    }
    return found;
  }
  size_t size, count = 0;
  std::array<Mac::Room, GivenSignatures::kMaxSignatures> rooms;
};

class MacProver final : public Prover {
 public:
  MacProver(Digest digest, const ProverSettings& settings, KeyRule rule, conf::Problems& problems)
      : digest_(digest), encoding_(settings.encoding), overs_(*settings.overs), rule_(std::move(rule)) {
    if (!rule_.is_dynamic()) keys_ = make_keys(digest, rule_.find(*settings.keyring, settings.position, problems));
  }

  Finding prove(Work& work, const GivenSignatures& given) const override {
    const Decoded decoded(given, encoding_, digest_size(digest_));
    if (decoded.count == 0) return Finding::refused(kNoForm);
    std::string name;
    if (rule_.chooses() && !rule_.chosen(work, name)) return Finding::refused("the key's id is missing");
    const std::vector<MacKey> made_now = rule_.is_dynamic() ? make_keys(digest_, rule_.derive(work)) : std::vector<MacKey>();
    const std::vector<MacKey>& keys = rule_.is_dynamic() ? made_now : keys_;
    const rules::Template* matched = nullptr;
    bool valid_key = false;
    for (const auto& over : overs_) {
      for (const MacKey& key : keys) {
        if (!key.window.valid_at(work.now) || (rule_.chooses() && key.name != name)) continue;
        valid_key = true;
        key.mac.begin();
        if (!feed(*over, work, [&key](std::string_view bytes) { key.mac.update(bytes); })) break;
        Mac::Room room;
        if (decoded.holds(key.mac.finish(room))) matched = over.get();
      }
    }
    if (matched != nullptr) {
      note_proven(*matched, work);
      return {};
    }
    return Finding::refused(valid_key ? kNoMatch : rule_.chooses() ? "the key's id is not known" : kNoKey);
  }

  Result<std::string> make(Work& work) const override {
    std::string name;
    if (rule_.chooses() && !rule_.chosen(work, name)) return invalid("the request does not say which key");
    const std::vector<MacKey> made_now = rule_.is_dynamic() ? make_keys(digest_, rule_.derive(work)) : std::vector<MacKey>();
    for (const MacKey& key : rule_.is_dynamic() ? made_now : keys_) {
      if (!key.window.valid_at(work.now) || (rule_.chooses() && key.name != name)) continue;
      key.mac.begin();
      if (!feed(*overs_.front(), work, [&key](std::string_view bytes) { key.mac.update(bytes); }))
        return invalid("the request lacks something that this scheme signs");
      Mac::Room room;
      return encode(encoding_, key.mac.finish(room));
    }
    return invalid("no secret is valid now");
  }

  bool covers_body() const override { return all_hold_raw(overs_); }

 private:
  Digest digest_;
  Encoding encoding_;
  const Overs& overs_;
  KeyRule rule_;
  std::vector<MacKey> keys_;
};

// A hash over a text that holds the secret itself: tried with every value of `key`'s secret in $secret's place.
class HashProver final : public Prover {
 public:
  HashProver(Digest digest, const ProverSettings& settings, const KeyRule& rule, conf::Problems& problems)
      : digest_(digest), encoding_(settings.encoding), overs_(*settings.overs), name_(rule.secret) {
    values_ = rule.find(*settings.keyring, settings.position, problems);
    if (!all_read(overs_, rules::Variable::secret))
      problems.add(settings.position, "a plain hash proves nothing unless it is made over a secret",
                   "write over: \"{{ $raw }}{{ $secret." + name_ + " }}\", or algorithm: hmac-…");
  }

  Finding prove(Work& work, const GivenSignatures& given) const override {
    const Decoded decoded(given, encoding_, digest_size(digest_));
    if (decoded.count == 0) return Finding::refused(kNoForm);
    bool matches = false, valid_key = false;
    for (const auto& over : overs_) {
      for (const KeyBytes& value : values_) {
        if (!value.window.valid_at(work.now)) continue;
        valid_key = true;
        Hash::Room room;
        const std::string_view made = hash(*over, value, work, room);
        if (made.empty() || !decoded.holds(made)) continue;
        if (!matches) work.note_proven(made);  // a hash of the text already
        matches = true;
      }
    }
    if (matches) return {};
    return Finding::refused(valid_key ? kNoMatch : kNoKey);
  }

  Result<std::string> make(Work& work) const override {
    for (const KeyBytes& value : values_) {
      if (!value.window.valid_at(work.now)) continue;
      Hash::Room room;
      const std::string_view made = hash(*overs_.front(), value, work, room);
      if (made.empty()) return invalid("the request lacks something that this scheme signs");
      return encode(encoding_, made);
    }
    return invalid("no secret is valid now");
  }

  bool tells_replays() const override { return covers_body(); }

  // A hash with the secret in front can be carried on by anybody who has seen one (length extension): such a body proves
  // nothing. Only with the secret as its end it does.
  bool covers_body() const override {
    return all_hold_raw(overs_) && std::all_of(overs_.begin(), overs_.end(), [](const auto& over) {
             const auto& last = over->parts().back();
             return last.expression && last.expression->text().ends_with("}}") && over->text().rfind("$secret") > over->text().rfind("$raw");
           });
  }

 private:
  std::string_view hash(const rules::Template& over, const KeyBytes& value, Work& work, Hash::Room& room) const {
    const Hash hash(digest_);
    work.secrets.put(name_, value.bytes);
    const bool whole = feed(over, work, [&hash](std::string_view bytes) { hash.update(bytes); });
    work.secrets.put({}, {});
    return whole ? hash.finish(room) : std::string_view();
  }

  Digest digest_;
  Encoding encoding_;
  const Overs& overs_;
  std::string name_;
  std::vector<KeyBytes> values_;
};

// The place holds a known text: the secret itself, or what `over` makes.
class EqualProver final : public Prover {
 public:
  EqualProver(const ProverSettings& settings, const KeyRule& rule, conf::Problems& problems)
      : encoding_(settings.encoding), overs_(*settings.overs), name_(rule.secret) {
    const auto reads_secret = [](const auto& over) { return over->reads(rules::Variable::secret); };
    proves_ = std::all_of(overs_.begin(), overs_.end(), reads_secret);
    if (overs_.empty() || std::any_of(overs_.begin(), overs_.end(), reads_secret)) values_ = rule.find(*settings.keyring, settings.position, problems);
  }

  bool proves() const override { return proves_; }
  bool tells_replays() const override { return false; }

  Finding prove(Work& work, const GivenSignatures& given) const override {
    bool matches = false;
    for (size_t i = 0; i < given.count; ++i) {
      const auto bytes = decode(encoding_, given.values[i]);
      if (!bytes || bytes->empty()) continue;
      each_expected(work, [&](std::string_view expected) {
        if (!expected.empty() && same_secret(expected, *bytes)) matches = true;
      });
    }
    return matches ? Finding{} : Finding::refused("the token does not match");
  }

  Result<std::string> make(Work& work) const override {
    std::string made;
    each_expected(work, [&](std::string_view expected) {
      if (made.empty()) made = encode(encoding_, expected);
    });
    if (made.empty()) return invalid("there is no secret that is valid now, or the request lacks what the token is made of");
    return made;
  }

 private:
  template <typename Visit>
  void each_expected(Work& work, const Visit& visit) const {
    std::string text;
    const auto render = [&] {
      for (const auto& over : overs_) {
        text.clear();
        if (feed(*over, work, [&text](std::string_view piece) { text += piece; })) visit(std::string_view(text));
      }
    };
    if (values_.empty()) return render();
    for (const KeyBytes& value : values_) {
      if (!value.window.valid_at(work.now)) continue;
      if (overs_.empty()) {
        visit(std::string_view(value.bytes));
        continue;
      }
      work.secrets.put(name_, value.bytes);
      render();
      work.secrets.put({}, {});
    }
  }

  Encoding encoding_;
  const Overs& overs_;
  std::string name_;
  bool proves_ = false;  // every alternative needs the secret: a known text would do in its place
  std::vector<KeyBytes> values_;
};

class JwtProver final : public Prover {
 public:
  explicit JwtProver(std::unique_ptr<JwtRule> rule) : rule_(std::move(rule)) {}
  Finding prove(Work& work, const GivenSignatures& given) const override {
    Finding finding = Finding::refused(kNoForm);
    for (size_t i = 0; i < given.count; ++i) {
      finding = rule_->check(given.values[i], work);
      if (finding.is != Finding::Is::refused) break;
    }
    return finding;
  }
  Result<std::string> make(Work& work) const override { return rule_->make(work); }
  bool can_make() const override { return rule_->can_make(); }
  bool tells_replays() const override { return rule_->tells_replays(); }
  bool covers_body() const override { return rule_->binds_body(); }
  bool judges_time() const override { return rule_->bounds_age(); }
  bool reads_url() const override { return rule_->reads_url(); }

 private:
  std::unique_ptr<JwtRule> rule_;
};

}  // namespace

std::string encode(Encoding encoding, std::string_view bytes) {
  switch (encoding) {
    case Encoding::hex: return hex_encode(bytes);
    case Encoding::base64: return base64_encode(bytes);
    case Encoding::base64url: return base64url_encode(bytes);
    case Encoding::text: break;
  }
  return std::string(bytes);
}

std::optional<std::string> decode(Encoding encoding, std::string_view text) {
  switch (encoding) {
    case Encoding::hex: return hex_decode(text);
    case Encoding::base64: return base64_decode(text);
    case Encoding::base64url: return base64url_decode(text);
    case Encoding::text: break;
  }
  return std::string(text);
}

bool decode_into(Encoding encoding, std::string_view text, size_t size, char* out) {
  if (encoding == Encoding::hex) return decode_hex(text, size, out);
  const auto bytes = decode(encoding, text);
  if (!bytes || bytes->size() != size) return false;
  std::copy(bytes->begin(), bytes->end(), out);
  return true;
}

bool all_read(const Overs& overs, rules::Variable variable) {
  return !overs.empty() &&
         std::all_of(overs.begin(), overs.end(), [&](const auto& over) { return over->reads(variable); });
}

bool all_hold_raw(const Overs& overs) {
  return !overs.empty() && std::all_of(overs.begin(), overs.end(), [](const auto& over) { return over->holds_raw(); });
}

std::unique_ptr<Prover> build_prover(const ProverSettings& settings, conf::Problems& problems) {
  const size_t before = problems.all().size();
  std::unique_ptr<Prover> prover;
  KeyRule rule = KeyRule::read(settings.key, *settings.names, *settings.keyring, problems);
  const std::string_view name = settings.algorithm;
  if (settings.keys.present() && (name == "equal" || digest_named(name.starts_with("hmac-") ? name.substr(5) : name)))
    problems.add(settings.keys.position(), "algorithm " + settings.algorithm + " has no public keys", "remove keys; key: NAME names the secret");
  if (name == "jwt") {
    auto jwt = JwtRule::build(settings.jwt, settings.keys, rule, *settings.keyring, *settings.names, settings.position, problems);
    if (jwt) prover = std::make_unique<JwtProver>(std::move(jwt));
  } else if (name == "equal") {
    prover = std::make_unique<EqualProver>(settings, rule, problems);
  } else if (name.starts_with("hmac-")) {
    prover = std::make_unique<MacProver>(*digest_named(name.substr(5)), settings, std::move(rule), problems);
  } else if (const auto digest = digest_named(name)) {
    prover = std::make_unique<HashProver>(*digest, settings, rule, problems);
  } else {
    prover = build_public_prover(settings, std::move(rule), problems);
  }
  if (problems.all().size() != before) return nullptr;
  return prover;
}

}  // namespace belay::signature
