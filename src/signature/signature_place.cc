#include "signature/signature_place.h"

#include <algorithm>

#include "base/bytes.h"
#include "http/parser.h"
#include "http/credentials.h"

namespace belay::signature {

namespace {

constexpr conf::Setting kSettings[] = {
    {.key = "header", .help = "name of the header"},
    {.key = "query", .help = "name of the query parameter"},
    {.key = "body", .type = conf::Type::expression, .help = "payload field"},
    {.key = "scheme", .help = "auth scheme in front, any case: Bearer"},
    {.key = "prefix", .help = "fixed text in front: sha256="},
    {.key = "list", .help = "separator of a list of values"},
    {.key = "pair", .help = "separator of name and value inside a list"},
    {.key = "take", .help = "name of the pairs that are signatures: v1"},
    {.key = "positional",
     .type = conf::Type::node,
     .help = "names of the list's values in order; \"*\": all the rest are signatures"},
};

// The rest of `text` behind `separator`, with what was before it in `entry`.
std::string_view next_entry(std::string_view& text, std::string_view separator) {
  const size_t end = text.find(separator);
  const std::string_view entry = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + separator.size());
  return trim_ows(entry);
}

}  // namespace

std::unique_ptr<SignaturePlace> SignaturePlace::build(const conf::Node& node, std::string_view timestamp_name,
                                                      conf::Problems& problems) {
  const size_t before = problems.all().size();
  const conf::Section section(node, kSettings, problems);
  std::unique_ptr<SignaturePlace> place(new SignaturePlace());
  if (static_cast<int>(section.has("header")) + section.has("query") + section.has("body") != 1) {
    problems.add(node.position(), "signature stands in exactly one place",
                 "write signature: { header: NAME }, { query: NAME } or { body: FIELD }");
    return nullptr;
  }
  std::string where;
  if (section.has("header")) {
    place->name_ = section.text("header");
    where = "header " + place->name_;
    if (!http::is_token(place->name_))
      section.wrong("header", "'" + printable(place->name_) + "' is not a header name");
  } else if (section.has("query")) {
    place->kind_ = Kind::query;
    place->name_ = section.text("query");
    where = "query parameter " + place->name_;
  } else {
    place->kind_ = Kind::payload;
    place->name_ = section.text("body");
    where = "payload field " + place->name_;
    place->payload_ = rules::Expression::compile(section.node("body"), rules::Names::request(), problems);
  }
  place->scheme_ = section.text("scheme");
  place->prefix_ = section.text("prefix");
  place->list_ = section.text("list");
  place->pair_ = section.text("pair");
  place->take_ = section.text("take");
  if (section.has("positional")) place->positional_ = section.texts("positional");
  place->timestamp_name_ = timestamp_name;
  const bool pairs = !place->pair_.empty(), positions = !place->positional_.empty();
  if (pairs != !place->take_.empty())
    problems.add(node.position(), "pair and take belong together", "write pair: \"=\", take: v1");
  if ((pairs || positions) && place->list_.empty())
    problems.add(node.position(), "pair and positional need a list", "write list: \",\"");
  if (pairs && positions) problems.add(node.position(), "pair and positional exclude each other");
  if (!timestamp_name.empty() && !pairs &&
      std::find(place->positional_.begin(), place->positional_.end(), timestamp_name) == place->positional_.end()) {
    problems.add(
        node.position(),
        "timestamp.signature names '" + printable(timestamp_name) + "', but the signature has no parts of that name",
        "write list, pair and take, or positional");
  }
  place->missing_ = where + " is missing";
  place->repeated_ = where + " is given more than once";
  place->malformed_ = where + " has not the expected form";
  if (problems.all().size() != before) return nullptr;
  return place;
}

std::string_view SignaturePlace::locate(payload::RequestContext& context, GivenSignatures& out,
                                        std::string_view& text) const {
  http::Presence presence = http::Presence::missing;
  switch (kind_) {
    case Kind::header: presence = http::single_header(context.view().head->fields, name_, text); break;
    case Kind::query:
      presence = http::single_query(context.view().head->query, name_, out.owned);
      text = out.owned;
      break;
    case Kind::payload: {
      const rules::Value value = payload_->run(context).plain(context.arena());
      // Text only: a list or number that happens to print alike is not what the sender was given.
      if (value.is_error() || value.kind() != rules::Kind::string) return missing_;
      text = value.text();
      presence = text.empty() ? http::Presence::missing : http::Presence::once;
      break;
    }
  }
  if (presence == http::Presence::repeated) return repeated_;
  if (presence == http::Presence::missing) return missing_;
  return text.size() > kMaxText ? std::string_view(malformed_) : std::string_view();
}

std::string_view SignaturePlace::read(payload::RequestContext& context, GivenSignatures& out) const {
  std::string_view text;
  if (const std::string_view reason = locate(context, out, text); !reason.empty()) return reason;
  if (!scheme_.empty()) {
    const auto rest = http::credentials(text, scheme_);
    if (!rest) return malformed_;
    text = *rest;
  }
  return take_apart(text, out);
}

std::string_view SignaturePlace::take_apart(std::string_view text, GivenSignatures& out) const {
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
    return true;
  }
  if (name != (pair_.empty() ? std::string_view("*") : std::string_view(take_))) return true;
  if (!value.starts_with(prefix_)) return true;
  if (out.count == GivenSignatures::kMaxSignatures) return false;
  out.values[out.count++] = value.substr(prefix_.size());
  return true;
}

std::string SignaturePlace::compose(std::string_view signature, std::string_view timestamp) const {
  const std::string value = prefix_ + std::string(signature);
  std::string text = scheme_.empty() ? "" : scheme_ + " ";
  if (!pair_.empty()) {
    if (!timestamp_name_.empty()) text += timestamp_name_ + pair_ + std::string(timestamp) + list_;
    return text + take_ + pair_ + value;
  }
  for (const std::string& name : positional_) {
    if (&name != &positional_.front()) text += list_;
    text += name == timestamp_name_ ? std::string(timestamp) : name == "*" ? value : std::string();
  }
  return positional_.empty() ? text + value : text;
}

}  // namespace belay::signature
