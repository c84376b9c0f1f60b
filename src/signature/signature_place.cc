#include "signature/signature_place.h"

#include <algorithm>

#include "base/bytes.h"
#include "conf/documented.h"
#include "http/credentials.h"
#include "http/parser.h"
#include "rules/template.h"

namespace belay::signature {

namespace {

constexpr conf::Setting kSettings[] = {
    {.key = "header", .help = "name of the header; NAME-* are numbered ones, of which any may be right", .example = "X-Hub-Signature-256"},
    {.key = "query", .help = "name of the query parameter", .example = "signature"},
    {.key = "form", .help = "name of the form field", .example = "signature"},
    {.key = "body", .type = conf::Type::expression, .help = "payload field, or any expression that yields text", .example = "signature"},
    {.key = "scheme", .help = "auth scheme in front, any case", .example = "Bearer"},
    {.key = "prefix", .help = "fixed text in front", .example = "\"sha256=\""},
    {.key = "group", .help = "separator of several lists, each with a time of its own", .example = "\";\""},
    {.key = "list", .help = "separator of a list of values", .example = "\",\""},
    {.key = "pair", .help = "separator of name and value inside a list", .example = "\"=\""},
    {.key = "take", .help = "name of the pairs that are signatures; may be made of $param", .example = "v1"},
    {.key = "positional",
     .type = conf::Type::node,
     .help = "names of the list's values in order; \"*\": all the rest are signatures", .example = "[t, \"*\"]"},
    {.key = "also", .type = conf::Type::node, .help = "further pairs of a list, as belay sign writes them", .example = "{ v: \"1\" }"},
};
const conf::Documented kSourcesVerifySignatureDocumented("sources.NAME.verify.signature", kSettings);

// The rest of `text` behind `separator`, with what was before it in `entry`.
std::string_view next_entry(std::string_view& text, std::string_view separator) {
  const size_t end = text.find(separator);
  const std::string_view entry = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + separator.size());
  return trim_ows(entry);
}

}  // namespace

bool GivenSignatures::find(std::string_view name, rules::Arena&, rules::Value& out) const {
  for (size_t i = 0; i < part_count; ++i) {
    if (parts[i].first != name) continue;
    out = rules::Value::string(parts[i].second);
    return true;
  }
  return false;
}

bool SignaturePlace::read_where(const conf::Section& section, const rules::Names& names, conf::Problems& problems) {
  if (static_cast<int>(section.has("header")) + section.has("query") + section.has("form") + section.has("body") != 1) {
    problems.add(section.self().position(), "signature stands in exactly one place",
                 "write signature: { header: NAME }, { query: NAME } or { body: FIELD }");
    return false;
  }
  std::string where;
  if (section.has("header")) {
    name_ = section.text("header");
    where = "header " + name_;
    numbered_ = name_.ends_with('*');
    if (numbered_) name_.pop_back();
    if (!http::is_token(name_)) section.wrong("header", "'" + printable(name_) + "' is not a header name");
  } else if (section.has("query")) {
    kind_ = Kind::query;
    name_ = section.text("query");
    where = "query parameter " + name_;
  } else if (section.has("form")) {
    kind_ = Kind::form;
    name_ = section.text("form");
    where = "form field " + name_;
  } else {
    kind_ = Kind::expression;
    name_ = section.text("body");
    where = "payload field " + name_;
    expression_ = rules::Expression::compile(section.node("body"), names, problems);
  }
  missing_ = where + " is missing";
  repeated_ = where + " is given more than once";
  malformed_ = where + " has not the expected form";
  return true;
}

void SignaturePlace::check_shape(const conf::Section& section, conf::Problems& problems) const {
  const conf::Position position = section.self().position();
  const bool pairs = !pair_.empty(), positions = !positional_.empty();
  if (pairs != section.has("take"))
    problems.add(position, "pair and take belong together", "write pair: \"=\", take: v1");
  if ((pairs || positions) && list_.empty())
    problems.add(position, "pair and positional need a list", "write list: \",\"");
  if (pairs && positions) problems.add(position, "pair and positional exclude each other");
  if (numbered_ && (!list_.empty() || !group_.empty()))
    problems.add(position, "numbered headers hold one value each", "remove list");
  if (!timestamp_name_.empty() && !pairs &&
      std::find(positional_.begin(), positional_.end(), timestamp_name_) == positional_.end()) {
    problems.add(
        position,
        "timestamp.signature names '" + printable(timestamp_name_) + "', but the signature has no parts of that name",
        "write list, pair and take, or positional");
  }
}

std::unique_ptr<SignaturePlace> SignaturePlace::build(const conf::Node& node, std::string_view timestamp_name,
                                                      const rules::Names& names, const Params& params,
                                                      conf::Problems& problems) {
  const size_t before = problems.all().size();
  const conf::Section section(node, kSettings, problems);
  std::unique_ptr<SignaturePlace> place(new SignaturePlace());
  if (!place->read_where(section, names, problems)) return nullptr;
  place->scheme_ = section.text("scheme");
  place->prefix_ = section.text("prefix");
  place->group_ = section.text("group");
  place->list_ = section.text("list");
  place->pair_ = section.text("pair");
  place->take_ = section.has("take") ? with_params(section.node("take"), params, problems) : std::string();
  if (section.has("positional")) place->positional_ = section.texts("positional");
  for (const conf::Entry& entry : section.node("also").entries()) place->also_.emplace_back(entry.key, entry.value.text());
  place->timestamp_name_ = timestamp_name;
  place->check_shape(section, problems);
  if (problems.all().size() != before) return nullptr;
  return place;
}

std::string_view SignaturePlace::locate(Work& work, std::string_view& text, std::string& owned) const {
  http::Presence presence = http::Presence::missing;
  const payload::RequestView& view = work.context.view();
  switch (kind_) {
    case Kind::header:
      if (numbered_) return {};
      presence = http::single_header(view.head->fields, name_, text);
      break;
    case Kind::query:
      presence = http::single_query(view.head->query, name_, owned);
      text = owned;
      break;
    case Kind::form:
      presence = http::single_query(view.body, name_, owned);
      text = owned;
      break;
    case Kind::expression: {
      const Loan loan(work);
      const rules::Value value = expression_->run(work.context).plain(work.context.arena());
      // Text only: a list or number that happens to print alike is not what the sender was given.
      if (value.is_error() || value.kind() != rules::Kind::string) return missing_;
      text = value.text();
      presence = text.empty() ? http::Presence::missing : http::Presence::once;
      break;
    }
  }
  if (presence == http::Presence::repeated) return repeated_;
  if (presence == http::Presence::missing) return missing_;
  if (text.size() > kMaxText) return malformed_;
  if (!scheme_.empty()) {
    const auto rest = http::credentials(text, scheme_);
    if (!rest) return malformed_;
    text = *rest;
  }
  return {};
}

std::string_view SignaturePlace::next_group(std::string_view& text) const {
  return group_.empty() ? std::exchange(text, std::string_view()) : next_entry(text, group_);
}

std::string_view SignaturePlace::read(std::string_view text, GivenSignatures& out) const {
  if (list_.empty()) {
    if (!text.starts_with(prefix_) || text.size() == prefix_.size()) return malformed_;
    out.values[out.count++] = text.substr(prefix_.size());
    return {};
  }
  for (size_t index = 0; !text.empty(); ++index) {
    if (!take_entry(next_entry(text, list_), index, out)) return malformed_;
  }
  return out.count == 0 ? std::string_view(malformed_) : std::string_view();
}

std::string_view SignaturePlace::read_numbered(const http::Fields& fields, GivenSignatures& out) const {
  for (const http::Field& field : fields) {
    if (field.name.size() <= name_.size() || !ascii_iequals(field.name.substr(0, name_.size()), name_)) continue;
    if (!parse_u64(field.name.substr(name_.size())) || !field.value.starts_with(prefix_)) continue;
    if (out.count == GivenSignatures::kMaxSignatures) return malformed_;
    out.values[out.count++] = field.value.substr(prefix_.size());
  }
  return out.count == 0 ? std::string_view(missing_) : std::string_view();
}

// False when the text must be refused: too many signatures, or two timestamps of which a reader could take either.
bool SignaturePlace::take_entry(std::string_view entry, size_t index, GivenSignatures& out) const {
  std::string_view name = "*", value = entry;
  if (!pair_.empty()) {
    const size_t at = entry.find(pair_);
    if (at == std::string_view::npos) return true;  // other fields are the sender's business
    name = entry.substr(0, at);
    value = entry.substr(at + pair_.size());
  } else if (!positional_.empty()) {
    if (index < positional_.size()) {
      name = positional_[index];
    } else if (positional_.back() != "*") {
      return true;
    }
  }
  if (!timestamp_name_.empty() && name == timestamp_name_) {
    if (!out.timestamp.empty()) return false;
    out.timestamp = value;
  }
  if (name != (pair_.empty() ? std::string_view("*") : std::string_view(take_))) {
    // A name that occurs twice: nobody knows which of them was signed.
    const bool twice = std::any_of(out.parts.begin(), out.parts.begin() + static_cast<std::ptrdiff_t>(out.part_count),
                                   [&](const auto& part) { return part.first == name; });
    if (!twice && out.part_count < GivenSignatures::kMaxParts) out.parts[out.part_count++] = {name, value};
    return true;
  }
  if (!value.starts_with(prefix_)) return true;
  if (out.count == GivenSignatures::kMaxSignatures) return false;
  out.values[out.count++] = value.substr(prefix_.size());
  return true;
}

std::string SignaturePlace::name() const {
  return numbered_ ? name_ + "1" : name_;
}

std::string SignaturePlace::compose(std::string_view signature, std::string_view timestamp) const {
  const std::string value = prefix_ + std::string(signature);
  std::string text = scheme_.empty() ? "" : scheme_ + " ";
  if (!pair_.empty()) {
    if (!timestamp_name_.empty()) text += timestamp_name_ + pair_ + std::string(timestamp) + list_;
    for (const auto& [name, other] : also_) text += name + pair_ + other + list_;
    return text + take_ + pair_ + value;
  }
  for (const std::string& name : positional_) {
    if (&name != &positional_.front()) text += list_;
    text += name == timestamp_name_ ? std::string(timestamp) : name == "*" ? value : std::string();
  }
  return positional_.empty() ? text + value : text;
}

}  // namespace belay::signature
