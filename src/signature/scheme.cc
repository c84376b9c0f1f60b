#include "signature/scheme.h"

#include <algorithm>

#include "base/bytes.h"
#include "http/credentials.h"

namespace belay::signature {

namespace {

constexpr conf::Setting kSettings[] = {
    {.key = "algorithm",
     .range = "hmac-sha1|hmac-sha256|hmac-sha384|hmac-sha512|equal|jwt",
     .required = true,
     .help = "how the proof is made"},
    {.key = "over",
     .type = conf::Type::node,
     .help = "template of what is signed, or a list of which any may match; default {{ $raw }}"},
    {.key = "signature", .type = conf::Type::node, .required = true, .help = "where the proof stands"},
    {.key = "encoding", .fallback = "hex", .range = "hex|base64|base64url", .help = "how the signature is written"},
    {.key = "key", .type = conf::Type::node, .help = "which secret, and how its text becomes the key"},
    {.key = "timestamp", .type = conf::Type::node, .help = "where the sender's time stands and how far it may be off"},
    {.key = "jwt", .type = conf::Type::node, .help = "algorithms and claims of a token"},
};

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

}  // namespace

std::unique_ptr<Scheme> Scheme::build(const conf::Node& node, const SecretTable& secrets, const conf::Position& where,
                                      conf::Problems& problems) {
  const size_t before = problems.all().size();
  if (!node.is_map()) {
    problems.add(node.position(), "verify must be a mapping",
                 "write verify: { algorithm: hmac-sha256, signature: { header: NAME } }, or preset: NAME");
    return nullptr;
  }
  const conf::Section section(node, kSettings, problems);
  std::unique_ptr<Scheme> scheme(new Scheme());
  const std::string algorithm = section.text("algorithm"), encoding = section.text("encoding");
  scheme->algorithm_ = algorithm == "equal" ? Algorithm::equal : algorithm == "jwt" ? Algorithm::jwt : Algorithm::hmac;
  scheme->encoding_ = encoding == "base64"      ? Encoding::base64
                      : encoding == "base64url" ? Encoding::base64url
                                                : Encoding::hex;
  scheme->secrets_ = secrets;
  if (section.has("timestamp")) scheme->timestamp_ = TimestampRule::build(section.node("timestamp"), problems);
  if (section.has("signature")) {
    scheme->place_ = SignaturePlace::build(section.node("signature"),
                                           scheme->timestamp_ ? scheme->timestamp_->signature_part() : "", problems);
  }
  const bool mac = scheme->algorithm_ == Algorithm::hmac;
  if (!mac && section.has("over"))
    section.wrong("over", "nothing is signed with algorithm " + algorithm, "remove over");
  if (mac && !scheme->read_over(section.node("over"), problems)) return nullptr;
  if ((scheme->algorithm_ == Algorithm::jwt) != section.has("jwt")) {
    section.wrong("jwt", "jwt belongs to algorithm jwt", "write algorithm: jwt, jwt: { algorithms: [HS256] }");
  }
  const conf::Secret secret = KeyRule::read(section.node("key"), problems).find(secrets, where, problems);
  if (problems.all().size() != before) return nullptr;
  if (mac) scheme->keys_ = make_keys(*digest_named(std::string_view(algorithm).substr(5)), secret);
  if (scheme->algorithm_ == Algorithm::equal) scheme->secret_ = secret;
  if (scheme->algorithm_ == Algorithm::jwt) scheme->jwt_ = JwtRule::build(section.node("jwt"), secret, problems);
  if (problems.all().size() != before) return nullptr;
  scheme->collect_signed_headers();
  scheme->compute_trust();
  return scheme;
}

bool Scheme::read_over(const conf::Node& node, conf::Problems& problems) {
  const rules::Names names = rules::Names::signature();
  const auto add = [&](std::unique_ptr<rules::Template> over) {
    if (over) overs_.push_back(std::move(over));
    return overs_.size();
  };
  if (!node.present()) return add(rules::Template::compile("{{ $raw }}", {}, names, problems)) == 1;
  if (!node.is_list()) return add(rules::Template::compile(node, names, problems)) == 1;
  if (node.items().empty() || node.items().size() > kMaxAlternatives) {
    problems.add(node.position(), "over has 1 to 4 alternatives");
    return false;
  }
  for (const conf::Node& item : node.items()) add(rules::Template::compile(item, names, problems));
  return overs_.size() == node.items().size();
}

void Scheme::compute_trust() {
  if (algorithm_ != Algorithm::hmac) return;
  const auto all_read = [&](rules::Variable variable) {
    return std::all_of(overs_.begin(), overs_.end(), [&](const auto& over) { return over->reads(variable); });
  };
  if (!all_read(rules::Variable::raw)) return;
  const bool time_is_signed =
      timestamp_ && timestamp_->judges() && (timestamp_->in_payload() || all_read(rules::Variable::ts));
  trust_ = time_is_signed ? Trust::signed_fresh : Trust::signed_body;
}

std::string Scheme::timestamp_of(payload::RequestContext& context) const {
  if (!timestamp_) return {};
  GivenSignatures given;
  if (!timestamp_->signature_part().empty() && !place_->read(context, given).empty()) return {};
  std::string_view text;
  std::string owned;
  return timestamp_->find(context, given.timestamp, text, owned).empty() ? std::string(text) : std::string();
}

std::string_view Scheme::check(payload::RequestContext& context, WallTime now) const {
  GivenSignatures given;
  if (const std::string_view reason = place_->read(context, given); !reason.empty()) return reason;
  for (const std::string& name : signed_headers_) {
    // Whether the signer and the backend read the first or the last of them, nobody knows.
    std::string_view value;
    if (http::single_header(context.view().head->fields, name, value) == http::Presence::repeated) return "a signed header occurs twice";
  }
  std::string_view timestamp;
  std::string timestamp_owned;
  if (timestamp_) {
    const std::string_view reason = timestamp_->check(context, given.timestamp, now, timestamp, timestamp_owned);
    if (!reason.empty()) return reason;
  }
  if (algorithm_ == Algorithm::hmac) return check_mac(context, given, timestamp, now);
  std::string_view reason;
  for (size_t i = 0; i < given.count; ++i) {
    if (algorithm_ == Algorithm::jwt) {
      reason = jwt_->check(given.values[i], now);
    } else {
      reason = matches_any(secret_, given.values[i], now) ? std::string_view()
                                                          : std::string_view("the token does not match");
    }
    if (reason.empty()) return reason;
  }
  return reason;
}

std::string_view Scheme::check_mac(payload::RequestContext& context, const GivenSignatures& given,
                                   std::string_view timestamp, WallTime now) const {
  const size_t size = keys_.front().mac.size();
  std::array<Mac::Room, GivenSignatures::kMaxSignatures> decoded;
  size_t count = 0;
  for (size_t i = 0; i < given.count; ++i) {
    if (decode(given.values[i], size, decoded[count].data())) ++count;
  }
  if (count == 0) return "the signature has not the expected form";
  bool matches = false, valid_key = false;
  for (const auto& over : overs_) {
    for (const MacKey& key : keys_) {
      if (!key.window.valid_at(now)) continue;
      valid_key = true;
      Mac::Room room;
      if (!feed(*over, key.mac, context, timestamp, now)) break;
      const std::string_view made = key.mac.finish(room);
      for (size_t i = 0; i < count; ++i) {
        if (constant_time_equals(made, {decoded[i].data(), size})) matches = true;
      }
    }
  }
  if (matches) return {};
  return valid_key ? "the signature does not match" : "no key is valid at this time";
}

// False when a part of what is signed cannot be read from this request.
bool Scheme::feed(const rules::Template& over, const Mac& mac, payload::RequestContext& context, std::string_view timestamp,
                  WallTime now) const {
  mac.begin();
  std::string text;
  for (const rules::Template::Part& part : over.parts()) {
    if (part.plain_variable && part.variable == rules::Variable::raw) {
      mac.update(context.view().body);
    } else if (part.plain_variable && part.variable == rules::Variable::ts) {
      mac.update(timestamp);
    } else if (!part.expression) {
      mac.update(part.literal);
    } else {
      const LentSecrets secrets(secrets_, now);
      context.lend(timestamp, &secrets);
      text.clear();
      const bool read = over.append_part(part, context, text).ok();
      context.lend({}, nullptr);
      if (!read) return false;
      mac.update(text);
    }
  }
  return true;
}

bool Scheme::decode(std::string_view text, size_t size, char* out) const {
  if (encoding_ == Encoding::hex) return decode_hex(text, size, out);
  const auto bytes = encoding_ == Encoding::base64 ? base64_decode(text) : base64url_decode(text);
  if (!bytes || bytes->size() != size) return false;
  std::copy(bytes->begin(), bytes->end(), out);
  return true;
}

}  // namespace belay::signature
