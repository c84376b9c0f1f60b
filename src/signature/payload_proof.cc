#include "signature/payload_proof.h"

#include <algorithm>

#include "base/bytes.h"
#include "http/url.h"
#include "json/edit.h"

namespace belay::signature {

namespace {

constexpr std::string_view kItem = "$item.";

bool is_path(std::string_view text) {
  const auto plain = [](char c) {
    const char lower = ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  };
  return !text.empty() && text.front() != '.' && text.back() != '.' && std::all_of(text.begin(), text.end(), plain);
}

}  // namespace

std::optional<std::string> payload_path(std::string_view expression, const std::string& item) {
  expression = trim_ows(expression);
  if (!expression.starts_with(kItem)) return is_path(expression) ? std::optional<std::string>(expression) : std::nullopt;
  expression.remove_prefix(kItem.size());
  if (item.empty() || !is_path(expression)) return std::nullopt;
  return item + "." + std::string(expression);
}

Result<std::string> with_proofs(std::string_view body, const std::vector<PayloadProof>& proofs) {
  const auto document = json::Document::parse(body);
  if (!document) return document.error();
  json::Edit edit;
  std::vector<std::string> texts;
  for (const PayloadProof& proof : proofs) {
    if (auto set = edit.set(proof.path); !set) return set.error();
    append_json_string(texts.emplace_back(), proof.text);
  }
  if (auto done = edit.finish(); !done) return done.error();
  const std::vector<std::string_view> values(texts.begin(), texts.end());
  std::string out;
  if (auto done = edit.apply(**document, values, json::Edit::Absent::ignore, out); !done) return done.error();
  return out;
}

std::string with_form_field(std::string_view form, std::string_view name, std::string_view value) {
  std::string out;
  while (!form.empty()) {
    const std::string_view pair = form.substr(0, form.find('&'));
    form.remove_prefix(std::min(pair.size() + 1, form.size()));
    if (pair.empty() || pair.substr(0, pair.find('=')) == name) continue;
    out.append(out.empty() ? "" : "&").append(pair);
  }
  return out.append(out.empty() ? "" : "&").append(name).append("=").append(http::percent_encode(value));
}

}  // namespace belay::signature
