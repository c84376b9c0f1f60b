#include "signature/single_check.h"

#include <algorithm>

#include "base/bytes.h"
#include "conf/documented.h"
#include "http/credentials.h"

namespace belay::signature {

namespace {

constexpr conf::Setting kSettings[] = {
    {.key = "algorithm",
     .range = "hmac-md5|hmac-sha1|hmac-sha256|hmac-sha384|hmac-sha512|md5|sha1|sha256|sha384|sha512|ed25519|"
              "ecdsa-p256-sha256|ecdsa-p256-sha1|rsa-pkcs1-sha1|rsa-pkcs1-sha256|rsa-pkcs1-sha384|rsa-pkcs1-sha512|"
              "rsa-pss-sha256|rsa-pss-sha512|equal|jwt|rfc9421",
     .required = true,
     .help = "how the proof is made", .example = "hmac-sha256"},
    {.key = "when", .type = conf::Type::expression, .help = "whether this check applies; at least one of a list must", .example = "has(challenge)"},
    {.key = "each", .type = conf::Type::expression, .help = "a list; the check is made for every element, $item", .example = "events"},
    {.key = "over",
     .type = conf::Type::node,
     .help = "template of what is signed, or a list of which any may match; default {{ $raw }}; for equal: the secret", .example = "\"{{ $ts }}.{{ $raw }}\""},
    {.key = "signature", .type = conf::Type::node, .required = true, .help = "where the proof stands", .example = "{ header: X-Signature, prefix: \"sha256=\" }"},
    {.key = "encoding", .range = "hex|base64|base64url|text", .help = "how the signature is written; default hex, for equal text"},
    {.key = "key", .type = conf::Type::node, .help = "which secret, and how its text becomes the key", .example = "{ secret: signing, strip: whsec_, decode: base64 }"},
    {.key = "keys", .type = conf::Type::node, .help = "public keys: a file, where the sender publishes them, or { url, hosts, path } of what the request names", .example = "\"https://login.example.com/jwks.json\""},
    {.key = "timestamp", .type = conf::Type::node, .help = "where the sender's time stands and how far it may be off", .example = "{ header: X-Timestamp, tolerance: 5m }"},
    {.key = "jwt", .type = conf::Type::node, .help = "algorithms and claims of a token", .example = "{ algorithms: [RS256], audience: belay }"},
    {.key = "replay", .type = conf::Type::duration, .range = kReplayRange, .help = kReplayHelp, .example = "10m"},
    {.key = "covers",
     .range = "body|none",
     .help = "whether what is signed amounts to the whole payload, where that cannot be seen from `over`"},
};
const conf::Documented kSourcesVerifyDocumented("sources.NAME.verify", kSettings);

}  // namespace

std::unique_ptr<Check> SingleCheck::build(const conf::Node& node, const conf::Node& timestamp, const Keyring& keyring,
                                          const conf::Position& where, conf::Problems& problems,
                                          std::span<const conf::Setting> beside) {
  const size_t before = problems.all().size();
  const std::vector<conf::Setting> settings = with_others(kSettings, beside);
  const conf::Section section(node, settings, problems);
  if (problems.all().size() != before) return nullptr;
  std::unique_ptr<SingleCheck> check(new SingleCheck());
  rules::Names names = scheme_names(keyring.params);
  if (!section.has("each")) names.variables &= ~(1U << static_cast<int>(rules::Variable::item));
  if (section.has("when"))
    check->when_ = rules::Expression::compile(section.node("when"), names, problems, rules::Want::boolean);
  if (section.has("each")) check->each_ = rules::Expression::compile(section.node("each"), names, problems);
  const conf::Node& time = section.has("timestamp") ? section.node("timestamp") : timestamp;
  if (time.present()) check->timestamp_ = TimestampRule::build(time, names, problems);
  check->place_ = SignaturePlace::build(section.node("signature"), check->timestamp_ ? check->timestamp_->signature_part() : "",
                                        names, keyring.params, problems);
  const std::string algorithm = section.text("algorithm"), encoding = section.text("encoding");
  const bool signs = algorithm != "jwt";
  if (!signs && section.has("over")) section.wrong("over", "nothing is signed with algorithm jwt", "remove over; a claim binds the body: jwt: { claims: … }");
  if ((algorithm == "jwt") != section.has("jwt"))
    section.wrong("jwt", "jwt belongs to algorithm jwt", "write algorithm: jwt, jwt: { algorithms: [HS256] }");
  if (signs && (section.has("over") || algorithm != "equal")) check->read_over(section.node("over"), names, problems);
  if (problems.all().size() != before) return nullptr;
  const bool text = encoding == "text" || (encoding.empty() && (algorithm == "equal" || algorithm == "jwt"));
  check->prover_ = build_prover({.algorithm = algorithm,
                                 .encoding = text                       ? Encoding::text
                                             : encoding == "base64"    ? Encoding::base64
                                             : encoding == "base64url" ? Encoding::base64url
                                                                       : Encoding::hex,
                                 .overs = &check->overs_,
                                 .keyring = &keyring,
                                 .key = section.node("key"),
                                 .keys = section.node("keys"),
                                 .jwt = section.node("jwt"),
                                 .names = &names,
                                 .position = where.line > 0 ? where : node.position()},
                                problems);
  if (!check->prover_) return nullptr;
  check->collect();
  check->compute_trust(section.text("covers"));
  return check;
}

bool SingleCheck::read_over(const conf::Node& node, const rules::Names& names, conf::Problems& problems) {
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

void SingleCheck::add_signed(const rules::Lookup& lookup) {
  if (lookup.table == rules::Variable::param) return;
  const auto same = [&](const rules::Lookup& known) {
    return known.table == lookup.table &&
           (lookup.table == rules::Variable::headers ? ascii_iequals(known.name, lookup.name) : known.name == lookup.name);
  };
  const auto known = std::find_if(signed_names_.begin(), signed_names_.end(), same);
  if (known == signed_names_.end()) {
    signed_names_.push_back(lookup);
  } else {
    known->needed = known->needed || lookup.needed;
  }
}

void SingleCheck::collect() {
  const auto look = [&](const rules::Expression* expression) {
    if (expression == nullptr) return;
    for (const rules::Lookup& lookup : expression->lookups()) add_signed(lookup);
    reads_url_ = reads_url_ || expression->reads(rules::Variable::url);
  };
  for (const auto& over : overs_) {
    for (const auto& part : over->parts()) look(part.expression.get());
  }
  look(place_->expression());
  if (timestamp_) look(timestamp_->expression());
  reads_url_ = reads_url_ || prover_->reads_url();
}

void SingleCheck::compute_trust(std::string_view covers) {
  const bool body = covers.empty() ? prover_->covers_body() && !each_ : covers == "body";
  if (!body) return;
  trust_ = Trust::signed_body;
  const auto signs_time = [&](const std::unique_ptr<rules::Template>& over) {
    const auto is_time = [&](const rules::Lookup& lookup) {
      return lookup.table == rules::Variable::headers && ascii_iequals(lookup.name, timestamp_->header());
    };
    return over->reads(rules::Variable::ts) || std::any_of(over->parts().begin(), over->parts().end(), [&](const auto& part) {
             return part.expression != nullptr && std::any_of(part.expression->lookups().begin(), part.expression->lookups().end(), is_time);
           });
  };
  const bool judged = timestamp_ && timestamp_->judges() &&
                      (timestamp_->in_payload() || (!overs_.empty() && std::all_of(overs_.begin(), overs_.end(), signs_time)));
  if (prover_->judges_time() || judged) trust_ = Trust::signed_fresh;
}

bool SingleCheck::applies(Work& work) const {
  if (!when_) return true;
  const Loan loan(work);
  const auto holds = when_->test(work.context);
  return holds && *holds;
}

Finding SingleCheck::check(Work& work) const {
  if (!applies(work)) return {Finding::Is::inapplicable, "no check of the scheme applies to this request", {}};
  if (const std::string_view repeated = find_repeated(work.context.view()); !repeated.empty()) return Finding::refused(repeated);
  return each_ ? check_each(work) : check_one(work);
}

// Whether the signer and the backend read the first or the last of them, nobody knows.
std::string_view SingleCheck::find_repeated(const payload::RequestView& request) const {
  std::string owned;
  for (const rules::Lookup& one : signed_names_) {
    std::string_view value;
    switch (one.table) {
      case rules::Variable::headers:
        if (http::single_header(request.head->fields, one.name, value) == http::Presence::repeated) return "a signed header occurs twice";
        break;
      case rules::Variable::query:
        if (http::single_query(request.head->query, one.name, owned) == http::Presence::repeated) return "a signed query parameter occurs twice";
        break;
      default:
        if (http::single_query(request.body, one.name, owned) == http::Presence::repeated) return "a signed form field occurs twice";
    }
  }
  return {};
}

// The elements of `each`; empty, or why there are none.
std::string_view SingleCheck::each_item(Work& work, std::vector<rules::Value>& items) const {
  const Loan loan(work);
  const rules::Value list = each_->run(work.context);
  if (list.is_error() || list.kind() != rules::Kind::list) return "there is no list of signed elements";
  if (list.is_json()) {
    const json::Document& document = list.document();
    if (document.size(list.ref()) > kMaxEach) return "too many signed elements";
    for (json::Ref one = document.first(list.ref()); one != json::kNone; one = document.next(list.ref(), one))
      items.push_back(rules::Value::json(document, one));
  } else {
    items.assign(list.items().begin(), list.items().end());
  }
  return items.empty() || items.size() > kMaxEach ? "there is no list of signed elements" : std::string_view();
}

Finding SingleCheck::check_each(Work& work) const {
  std::vector<rules::Value> items;
  if (const std::string_view reason = each_item(work, items); !reason.empty()) return Finding::refused(reason);
  Finding finding;
  for (const rules::Value& item : items) {
    work.lent.item = item;
    work.verifications = 0;
    finding = check_one(work);
    if (!finding.genuine()) break;
  }
  work.lent.item = {};
  return finding;
}

Finding SingleCheck::check_one(Work& work) const {
  std::string_view text;
  std::string owned;
  if (const std::string_view reason = place_->locate(work, text, owned); !reason.empty()) return Finding::refused(reason);
  Finding finding = check_group(work, place_->next_group(text));
  for (size_t groups = 1; !finding.genuine() && !text.empty() && groups < SignaturePlace::kMaxGroups; ++groups)
    finding = check_group(work, place_->next_group(text));
  return finding;
}

Finding SingleCheck::check_group(Work& work, std::string_view text) const {
  GivenSignatures given;
  const std::string_view unread =
      place_->is_numbered() ? place_->read_numbered(work.context.view().head->fields, given) : place_->read(text, given);
  if (!unread.empty()) return Finding::refused(unread);
  work.lent.signature = &given;
  std::string_view timestamp;
  std::string timestamp_owned;
  std::string_view untimely;
  if (timestamp_) untimely = timestamp_->check(work, given.timestamp, timestamp, timestamp_owned);
  work.lent.timestamp = timestamp;
  Finding finding = untimely.empty() ? prover_->prove(work, given) : Finding::refused(untimely);
  work.lent.signature = nullptr;
  work.lent.timestamp = {};
  return finding;
}

bool SingleCheck::can_sign() const {
  const bool writes = place_->kind() == SignaturePlace::Kind::header || place_->kind() == SignaturePlace::Kind::query;
  return !proves() || (writes && !each_ && prover_->can_make());
}

bool SingleCheck::dates_with(std::string_view field) const {
  return timestamp_ != nullptr && !timestamp_->header().empty() && ascii_iequals(timestamp_->header(), field);
}

std::string SingleCheck::timestamp_of(Work& work) const {
  if (!timestamp_) return {};
  std::string_view text, timestamp;
  std::string owned, timestamp_owned;
  GivenSignatures given;
  if (!timestamp_->signature_part().empty()) {
    if (!place_->locate(work, text, owned).empty() || !place_->read(place_->next_group(text), given).empty()) return {};
  }
  return timestamp_->find(work, given.timestamp, timestamp, timestamp_owned).empty() ? std::string(timestamp) : std::string();
}

}  // namespace belay::signature
