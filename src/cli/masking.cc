#include "cli/masking.h"

#include <algorithm>

#include "base/bytes.h"
#include "http/parser.h"
#include "http/url.h"

namespace belay::cli {

namespace {

constexpr std::string_view kHidden = BodyProofs::kHidden;
constexpr std::string_view kTelling[] = {"authorization", "cookie", "signature", "token", "secret", "api-key", "apikey", "api_key", "password", "hmac"};

bool sounds_secret(std::string_view name) {
  const std::string lower = ascii_lower(name);
  return std::any_of(std::begin(kTelling), std::end(kTelling), [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

// NAME-* is any numbered one, as a signature's place writes it.
bool stands_in(const std::vector<std::string>& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(), [&](std::string_view known) {
    if (known.empty() || known.back() != '*') return ascii_iequals(known, name);
    known.remove_suffix(1);
    return ascii_iequals(known, name.substr(0, known.size()));
  });
}

// The names of `header: NAME`, `header: [NAME]` and `header: {NAME: …}`.
void add_names(const conf::Node& node, std::vector<std::string>& into) {
  if (node.is_scalar()) into.push_back(node.text());
  for (const conf::Node& item : node.items()) add_names(item, into);
  for (const conf::Entry& entry : node.entries()) into.push_back(entry.key);
}

}  // namespace

Mask::Mask(const pipeline::Source* source) {
  if (source == nullptr) return;
  // Beside its preset's scheme a source may have a verify of its own that says only `replay`.
  for (const conf::Node* const of : {&source->named->node, &source->preset}) {
    collect(of->at("auth"));
    collect(of->at("verify"));
  }
}

void Mask::collect(const conf::Node& node) {
  for (const conf::Node& item : node.items()) collect(item);
  for (const conf::Entry& entry : node.entries()) {
    if (entry.key == "timestamp") continue;  // proves nothing by itself
    if (entry.key == "header") {
      add_names(entry.value, fields_);
    } else if (entry.key == "query") {
      add_names(entry.value, parameters_);
    } else {
      collect(entry.value);
    }
  }
}

void Mask::add(const upstream::Destination& to, const conf::Configuration& configuration) {
  for (const conf::Named& named : configuration.destinations) {
    if (named.name != to.name) continue;
    const conf::Node& sign = named.node.at("sign");
    collect(sign);
    if (const conf::Node* const preset = configuration.preset(sign.at("preset").text())) collect(preset->at("verify"));
  }
  for (const http::Url& url : to.urls) {
    for (const auto& [name, value] : http::parse_form(url.query)) parameters_.push_back(name);
  }
  for (const auto& [name, value] : to.auth_headers) fields_.push_back(name);
  for (const auto& [name, value] : to.set_headers) {
    const auto from_reference = [](const conf::SecretValue& one) { return !one.literal; };
    // Text of the rules themselves is a value without a reference.
    if (std::any_of(value.values().begin(), value.values().end(), from_reference)) fields_.push_back(name);
  }
}

bool Mask::hides_field(std::string_view name) const { return sounds_secret(name) || stands_in(fields_, name); }

std::string Mask::field(std::string_view name, std::string_view value) const {
  if (!hides_field(name)) return proofs_.hide(value);
  const size_t space = value.find(' ');
  const bool scheme = ascii_iequals(name, "authorization") && space != std::string_view::npos && http::is_token(value.substr(0, space));
  return (scheme ? std::string(value.substr(0, space + 1)) : std::string()).append(kHidden);
}

std::string Mask::target(std::string_view target) const {
  const size_t mark = target.find('?');
  std::string out(target.substr(0, mark));
  if (mark == std::string_view::npos) return proofs_.hide(out);
  char separator = '?';
  for (const std::string_view part : split(target.substr(mark + 1), '&')) {
    out.push_back(std::exchange(separator, '&'));
    const size_t equals = part.find('=');
    const std::string name = http::percent_decode(part.substr(0, equals), true).value_or(std::string(part.substr(0, equals)));
    const bool hidden = equals != std::string_view::npos && (sounds_secret(name) || stands_in(parameters_, name));
    out.append(hidden ? part.substr(0, equals + 1) : part).append(hidden ? kHidden : std::string_view());
  }
  return proofs_.hide(out);
}

std::string Mask::head(std::string_view head) const {
  std::string out;
  for (size_t at = 0; at < head.size();) {
    const size_t end = std::min(head.find("\r\n", at), head.size());
    const std::string_view line = head.substr(at, end - at);
    if (at == 0) {
      const size_t first = line.find(' '), last = line.rfind(' ');
      const bool whole = first != std::string_view::npos && first < last;
      out += whole ? std::string(line.substr(0, first + 1)) + target(line.substr(first + 1, last - first - 1)) + std::string(line.substr(last))
                   : std::string(line);
    } else if (const size_t colon = line.find(": "); colon != std::string_view::npos) {
      out.append(line.substr(0, colon + 2)).append(field(line.substr(0, colon), line.substr(colon + 2)));
    } else {
      out += line;
    }
    out += "\r\n";
    at = end + 2;
  }
  return out;
}

}  // namespace belay::cli
