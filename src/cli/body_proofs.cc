#include "cli/body_proofs.h"

#include <algorithm>
#include <functional>

#include "base/bytes.h"
#include "http/url.h"
#include "json/document.h"
#include "pipeline/module.h"
#include "rules/escape.h"
#include "signature/params.h"

namespace belay::cli {

namespace {

constexpr size_t kMostItems = 1000;  // of `each`

void replace_all(std::string& text, const std::string& what, std::string_view by) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) text.replace(at, what.size(), by);
}

std::string in_json(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out.substr(1, out.size() - 2);
}

std::string in_xml(std::string_view text, rules::XmlPlace place) {
  std::string out;
  rules::append_xml_text(out, text, place);
  return out;
}

// The elements of a list; none when it is no list.
std::vector<rules::Value> items_of(const rules::Value& list) {
  std::vector<rules::Value> items;
  if (list.is_error() || list.kind() != rules::Kind::list) return items;
  if (!list.is_json()) return {list.items().begin(), list.items().end()};
  const json::Document& document = list.document();
  for (json::Ref one = document.first(list.ref()); one != json::kNone && items.size() < kMostItems; one = document.next(list.ref(), one)) {
    items.push_back(rules::Value::json(document, one));
  }
  return items;
}

payload::RequestView view_of(const pipeline::Exchange& exchange, const std::string& client) {
  return {.head = &exchange.request,
          .body = exchange.body,
          .client = client,
          .tls_subject = exchange.client.tls_subject,
          .tls = exchange.client.tls,
          .source = exchange.source->name,
          .captures = &exchange.captures,
          .event = &exchange.event,
          .decode = &exchange.source->decode,
          .received = exchange.received};
}

}  // namespace

void BodyProofs::read(const pipeline::Exchange& exchange) {
  if (exchange.source == nullptr) return;
  conf::Problems heard_before;  // when the rules were loaded
  const signature::Params params = signature::read_params(exchange.source->named->node.at("params"), heard_before);
  const signature::ParamTable table(params);
  const rules::Names names = signature::scheme_names(params);
  const std::string client = exchange.client.text();
  payload::RequestContext context(view_of(exchange, client));
  payload::Lent lent{.params = &table};
  context.lend(&lent);
  // Beside its preset's scheme a source may have a verify of its own that says only `replay`.
  read_checks(exchange.source->named->node.at("verify"), context, lent, names);
  read_checks(exchange.source->preset.at("verify"), context, lent, names);
  // A text that holds another one goes first.
  std::sort(texts_.begin(), texts_.end(), [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
}

void BodyProofs::read_checks(const conf::Node& verify, payload::RequestContext& context, payload::Lent& lent, const rules::Names& names) {
  for (const conf::Node& item : verify.items()) read_checks(item, context, lent, names);
  for (const conf::Entry& entry : verify.entries()) {
    if (entry.key == "any" || entry.key == "all") read_checks(entry.value, context, lent, names);
  }
  const conf::Node& place = verify.at("signature");
  if (place.at("form").present()) {
    for (const auto& [name, value] : http::parse_form(context.view().body)) {
      if (name == place.at("form").text()) add(value);
    }
  }
  if (place.at("body").present()) read_expression(verify, context, lent, names);
}

void BodyProofs::read_expression(const conf::Node& check, payload::RequestContext& context, payload::Lent& lent, const rules::Names& names) {
  conf::Problems heard_before;
  const auto place = rules::Expression::compile(check.at("signature").at("body"), names, heard_before);
  if (place == nullptr) return;
  const auto read_one = [&] {
    const rules::Value value = place->run(context).plain(context.arena());
    if (!value.is_error() && value.kind() == rules::Kind::string) add(value.text());
  };
  if (!check.at("each").present()) return read_one();
  const auto each = rules::Expression::compile(check.at("each"), names, heard_before);
  if (each == nullptr) return;
  for (const rules::Value& item : items_of(each->run(context))) {
    lent.item = item;
    read_one();
  }
  lent.item = {};
}

void BodyProofs::add(std::string_view text) {
  if (!text.empty() && std::find(texts_.begin(), texts_.end(), text) == texts_.end()) texts_.emplace_back(text);
}

std::string BodyProofs::hidden_value(std::string_view value) const {
  std::string out(value);
  for (const std::string& text : texts_) {
    if (out == text) return std::string(kHidden);
    if (text.size() >= kShortest) replace_all(out, text, kHidden);
  }
  return out;
}

std::string BodyProofs::hide_in_json(std::string_view text, const json::Document& document) const {
  std::string out, scratch;
  const char* copied = text.data();
  const std::function<void(json::Ref)> walk = [&](json::Ref value) {
    const json::Type type = document.type(value);
    if (type == json::Type::string) {
      const std::string_view written = document.string(value, scratch);
      const std::string shown = hidden_value(written);
      if (shown == written) return;
      const std::string_view raw = document.raw(value);
      out.append(copied, raw.data());
      append_json_string(out, shown);
      copied = raw.data() + raw.size();
    } else if (type == json::Type::array || type == json::Type::object) {
      for (json::Ref each = document.first(value); each != json::kNone; each = document.next(value, each)) {
        walk(type == json::Type::object ? json::Document::value_of(each) : each);
      }
    }
  };
  walk(document.root());
  return out.append(copied, text.data() + text.size());
}

std::string BodyProofs::hide_in_form(std::string_view text) const {
  std::string out;
  for (const std::string_view part : split(text, '&')) {
    if (part.data() != text.data()) out.push_back('&');
    const size_t equals = part.find('=');
    const auto value = equals == std::string_view::npos ? std::nullopt : http::percent_decode(part.substr(equals + 1), true);
    const bool hidden = value && hidden_value(*value) != *value;
    out.append(hidden ? part.substr(0, equals + 1) : part).append(hidden ? kHidden : std::string_view());
  }
  return out;
}

std::string BodyProofs::hide(std::string_view text) const {
  if (texts_.empty()) return std::string(text);
  const auto document = json::Document::parse(text);
  std::string out = document ? hide_in_json(text, **document) : hide_in_form(text);
  for (const std::string& proof : texts_) {
    if (proof.size() < kShortest) continue;
    for (const std::string& form : {proof, in_json(proof), in_xml(proof, rules::XmlPlace::element), in_xml(proof, rules::XmlPlace::attribute),
                                    http::percent_encode(proof)}) {
      replace_all(out, form, kHidden);
    }
  }
  return out;
}

}  // namespace belay::cli
