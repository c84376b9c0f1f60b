#include "signature/http_signature.h"

#include <algorithm>

#include "base/bytes.h"
#include "conf/documented.h"
#include "http/credentials.h"
#include "http/url.h"
#include "signature/digest.h"

namespace belay::signature {

namespace {

constexpr std::string_view kNoMatch = "the signature does not match";

constexpr conf::Setting kSettings[] = {
    {.key = "algorithm", .required = true, .help = "how the proof is made: RFC 9421", .example = "rfc9421"},
    {.key = "when", .type = conf::Type::expression, .help = "whether this check applies", .example = "has($headers.signature)"},
    {.key = "signature", .type = conf::Type::node, .required = true, .help = "what must be signed, and how", .example = "{ algorithm: ed25519, components: [\"@method\", content-digest] }"},
    {.key = "key", .type = conf::Type::node, .help = "which secret holds the key", .example = "{ secret: signing }"},
    {.key = "keys", .type = conf::Type::node, .help = "public keys: a file, where the sender publishes them, or { url, hosts, path } of what the request names", .example = "\"https://login.example.com/jwks.json\""},
    {.key = "replay", .type = conf::Type::duration, .range = kReplayRange, .help = kReplayHelp, .example = "10m"},
};
const conf::Documented kSourcesVerifyHttpDocumented("sources.NAME.verify with algorithm rfc9421", kSettings);

constexpr conf::Setting kSignatureSettings[] = {
    {.key = "algorithm",
     .range = "ed25519|ecdsa-p256-sha256|rsa-pss-sha512|rsa-v1_5-sha256|hmac-sha256",
     .required = true,
     .help = "how it is signed (RFC 9421 §6.2.2)"},
    {.key = "components",
     .type = conf::Type::node,
     .required = true,
     .help = "what must be among what is signed", .example = "[\"@method\", \"@target-uri\", content-digest]"},
    {.key = "label", .help = "name of the signature; absent: any", .example = "sig1"},
    {.key = "tag", .help = "the application's tag it must carry", .example = "webhook"},
    {.key = "tolerance",
     .type = conf::Type::duration,
     .range = "1s..7d",
     .help = "how far `created` may be from now; absent: it is not judged", .example = "5m"},
};
const conf::Documented kSourcesVerifyHttpSignatureDocumented("sources.NAME.verify.signature with algorithm rfc9421", kSignatureSettings);

// Every value of a field in order, as RFC 9421 §2.1 joins them.
bool field_value(const http::Fields& fields, std::string_view name, std::string& out) {
  bool found = false;
  for (const http::Field& field : fields) {
    if (!ascii_iequals(field.name, name)) continue;
    if (found) out += ", ";
    out += trim_ows(field.value);
    found = true;
  }
  return found;
}

std::optional<std::vector<Member>> dictionary_of(Work& work, std::string_view name, std::string& text) {
  text.clear();
  if (!field_value(work.context.view().head->fields, name, text)) return std::nullopt;
  return parse_dictionary(text);
}

}  // namespace

std::string_view check_content_digest(std::string_view field, std::string_view body) {
  const auto members = parse_dictionary(field);
  if (!members) return "the Content-Digest cannot be read";
  bool known = false;
  for (const Member& member : *members) {
    const bool sha256 = member.key == "sha-256";
    if ((!sha256 && member.key != "sha-512") || !member.bytes) continue;  // others may stand beside (RFC 9530 §5)
    known = true;
    if (!constant_time_equals(hash_of(sha256 ? Digest::sha256 : Digest::sha512, body), *member.bytes))
      return "the Content-Digest is not the body's";
  }
  return known ? std::string_view() : "the Content-Digest has neither sha-256 nor sha-512";
}

std::string content_digest(std::string_view body) {
  return "sha-256=:" + base64_encode(hash_of(Digest::sha256, body)) + ":";
}

std::unique_ptr<Check> HttpSignatureCheck::build(const conf::Node& node, const Keyring& keyring,
                                                 const conf::Position& where, conf::Problems& problems,
                                                 std::span<const conf::Setting> beside) {
  const size_t before = problems.all().size();
  const std::vector<conf::Setting> settings = with_others(kSettings, beside);
  const conf::Section section(node, settings, problems);
  std::unique_ptr<HttpSignatureCheck> check(new HttpSignatureCheck());
  const rules::Names names = scheme_names(keyring.params);
  if (section.has("when"))
    check->when_ = rules::Expression::compile(section.node("when"), names, problems, rules::Want::boolean);
  if (section.has("signature")) check->read_signature(section.node("signature"), problems);
  const KeyRule rule = KeyRule::read(section.node("key"), names, keyring, problems);
  if (problems.all().size() != before) return nullptr;
  const conf::Position& place = where.line > 0 ? where : node.position();
  if (check->public_) {
    check->ring_.build(section.node("keys"), rule, keyring, names, place, problems);
  } else {
    if (section.has("keys")) section.wrong("keys", "hmac-sha256 has no public keys", "remove keys; key: NAME names the secret");
    check->keys_ = make_keys(Digest::sha256, rule.find(keyring, place, problems));
  }
  if (problems.all().size() != before) return nullptr;
  return check;
}

void HttpSignatureCheck::read_signature(const conf::Node& node, conf::Problems& problems) {
  const conf::Section section(node, kSignatureSettings, problems);
  algorithm_ = section.text("algorithm");
  label_ = section.text("label");
  tag_ = section.text("tag");
  if (section.has("components")) {
    for (const std::string& name : section.texts("components")) components_.push_back(ascii_lower(name));
  }
  if (components_.empty()) section.wrong("components", "a signature of nothing proves nothing", "write components: [\"@method\", content-digest]");
  if (section.has("tolerance")) tolerance_ = section.duration("tolerance");
  if (algorithm_ == "rsa-v1_5-sha256") {
    public_ = PublicAlgorithm::rsa_pkcs1_sha256;
  } else if (algorithm_ != "hmac-sha256") {
    public_ = public_algorithm_named(algorithm_);
  }
}

bool HttpSignatureCheck::requires_component(std::string_view name) const {
  return std::find(components_.begin(), components_.end(), name) != components_.end();
}

Trust HttpSignatureCheck::trust() const {
  if (!requires_component("content-digest")) return Trust::token;
  return tolerance_.count() > 0 ? Trust::signed_fresh : Trust::signed_body;
}

bool HttpSignatureCheck::component(Work& work, const ListItem& item, std::string& out) {
  const http::RequestHead& head = *work.context.view().head;
  const bool by_name = item.name == "@query-param";
  if (item.parameters.size() != (by_name ? 1 : 0)) return false;
  if (!item.name.starts_with('@')) {
    return item.name == ascii_lower(item.name) && field_value(head.fields, item.name, out);
  }
  const auto url_text = [&] {
    const Loan loan(work);
    return std::string(work.context.variable(rules::Variable::url).text());
  };
  if (item.name == "@method") {
    out = head.method;
  } else if (item.name == "@target-uri") {
    out = url_text();
  } else if (item.name == "@authority" || item.name == "@scheme") {
    const auto url = http::parse_url(url_text());
    if (!url) return false;
    out = item.name == "@scheme" ? url->scheme : url->authority();
  } else if (item.name == "@request-target") {
    out = head.target;
  } else if (item.name == "@path") {
    out = head.path;
  } else if (item.name == "@query") {
    out = "?" + std::string(head.query);
  } else if (by_name && item.parameters[0].name == "name") {
    std::string value;
    // One that is not there cannot be signed (RFC 9421 §2.2.8); an empty one counts as such.
    if (http::single_query(head.query, item.parameters[0].text, value) != http::Presence::once) return false;
    out = http::percent_encode(value);
  } else {
    return false;
  }
  return true;
}

bool HttpSignatureCheck::compose(Work& work, const std::vector<ListItem>& items, std::string_view parameters,
                                 std::string& out) {
  std::vector<std::string_view> seen;
  for (const ListItem& item : items) {
    std::string value;
    if (std::find(seen.begin(), seen.end(), item.raw) != seen.end() || !component(work, item, value)) return false;
    seen.push_back(item.raw);
    out.append(item.raw).append(": ").append(value).append("\n");
  }
  out.append("\"@signature-params\": ").append(parameters);
  return true;
}

std::string_view HttpSignatureCheck::check_parameters(const Member& input, WallTime now) const {
  for (const std::string& name : components_) {
    const auto same = [&](const ListItem& item) { return item.name == name; };
    if (std::none_of(input.items.begin(), input.items.end(), same)) return "the signature leaves out what must be signed";
  }
  const Parameter* algorithm = input.parameter("alg");
  if (algorithm != nullptr && algorithm->text != algorithm_) return "the signature's algorithm is not accepted";
  const Parameter* tag = input.parameter("tag");
  if (!tag_.empty() && (tag == nullptr || tag->text != tag_)) return "the signature is for something else";
  const Parameter* expires = input.parameter("expires");
  const Parameter* created = input.parameter("created");
  const int64_t seconds = to_ms(now) / 1000;
  if (expires != nullptr && (!expires->number || *expires->number < seconds)) return "the signature has expired";
  if (tolerance_.count() == 0) return {};
  if (created == nullptr || !created->number) return "the signature does not say when it was made";
  const int64_t tolerance = tolerance_.count() / 1000;
  if (*created->number < seconds - tolerance) return "the timestamp is too old";
  if (*created->number > seconds + tolerance) return "the timestamp is too far ahead";
  return {};
}

Finding HttpSignatureCheck::check(Work& work) const {
  if (when_) {
    const Loan loan(work);
    const auto holds = when_->test(work.context);
    if (!holds || !*holds) return {Finding::Is::inapplicable, "no check of the scheme applies to this request", {}};
  }
  std::string input_text, signature_text, digest;
  const auto inputs = dictionary_of(work, "signature-input", input_text);
  const auto signatures = dictionary_of(work, "signature", signature_text);
  if (!inputs || !signatures) return Finding::refused("Signature or Signature-Input is missing or cannot be read");
  const bool has_digest = field_value(work.context.view().head->fields, "content-digest", digest);
  std::optional<std::string_view> wrong;  // with the digest; found out once, however many signatures there are
  Finding finding = Finding::refused("there is no signature of the expected name");
  for (const Member& input : *inputs) {
    const auto named = [&](const Member& member) { return member.key == input.key && member.bytes; };
    const auto signature = std::find_if(signatures->begin(), signatures->end(), named);
    if (signature == signatures->end() || input.bytes || (!label_.empty() && input.key != label_)) continue;
    const std::string_view reason = check_parameters(input, work.now);
    if (!reason.empty()) {
      finding = Finding::refused(reason);
      continue;
    }
    const auto is_digest = [](const ListItem& item) { return item.name == "content-digest"; };
    if (std::any_of(input.items.begin(), input.items.end(), is_digest)) {
      if (!wrong) wrong = has_digest ? check_content_digest(digest, work.context.view().body) : "the Content-Digest is missing";
      if (!wrong->empty()) return Finding::refused(*wrong);
    }
    finding = prove(work, input, *signature->bytes);
    if (finding.is != Finding::Is::refused) return finding;
  }
  return finding;
}

Finding HttpSignatureCheck::prove(Work& work, const Member& input, std::string_view signature) const {
  std::string base;
  if (!compose(work, input.items, input.raw, base)) return Finding::refused("the request lacks something that was signed");
  Finding finding = Finding::refused(kNoMatch);
  bool matches = any_makes(keys_, work.now, base, signature);
  if (public_) {
    const Parameter* id = input.parameter("keyid");
    matches = ring_.any(work, id != nullptr ? std::string_view(id->text) : std::string_view(), finding, [&](const PublicKey& key) {
      return key.fits(*public_) && work.may_verify() && key.verify(*public_, base, signature);
    });
  }
  if (!matches) return finding;
  work.note_proven(base);
  return {};
}

std::string HttpSignatureCheck::timestamp_of(Work& work) const {
  std::string text;
  const auto inputs = dictionary_of(work, "signature-input", text);
  if (!inputs) return {};
  for (const Member& input : *inputs) {
    const Parameter* created = input.parameter("created");
    if (created != nullptr && created->number && (label_.empty() || input.key == label_)) return created->text;
  }
  return {};
}

Result<bool> HttpSignatureCheck::sign(Draft& draft, const Keyring& keyring, const std::string& url, WallTime now,
                                      KeySource* keys) const {
  if (requires_component("content-digest") && !draft.has_field("content-digest"))
    draft.add_field("Content-Digest", content_digest(draft.view().body));
  std::string parameters = "(";
  for (const std::string& name : components_) parameters += (parameters.size() > 1 ? " \"" : "\"") + name + "\"";
  parameters += ");created=" + std::to_string(to_ms(now) / 1000);
  if (const auto id = keyring.params.find("keyid"); id != keyring.params.end()) parameters += ";keyid=\"" + id->second + "\"";
  parameters += ";alg=\"" + algorithm_ + "\"";
  if (!tag_.empty()) parameters += ";tag=\"" + tag_ + "\"";
  const std::string label = label_.empty() ? "sig1" : label_;
  payload::RequestContext context(draft.view());
  Work work(context, keyring, now, keys);
  work.lent.url = url;
  const std::string input_text = label + "=" + parameters;
  const auto input = parse_dictionary(input_text);
  std::string base, made;
  if (!input || !compose(work, input->front().items, parameters, base))
    return invalid("the request lacks something that this scheme signs");
  made = make_mac(keys_, now, base).value_or(std::string());
  std::string why = "no key is valid now";
  Finding finding;
  if (public_) {
    ring_.any(work, {}, finding, [&](const PublicKey& key) {
      auto signature = key.sign(*public_, base);
      if (!signature) {
        why = signature.error().message;
      } else if (algorithm_ == "ecdsa-p256-sha256") {  // r‖s (RFC 9421 §3.3.4)
        made = ecdsa_from_der(*signature, 32).value_or(std::string());
      } else {
        made = std::move(*signature);
      }
      return !made.empty();
    });
  }
  if (made.empty()) return invalid(why);
  draft.add_field("Signature-Input", input_text);
  draft.add_field("Signature", label + "=:" + base64_encode(made) + ":");
  return true;
}

}  // namespace belay::signature
