#include "support/recipe.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <stdexcept>

#include "base/bytes.h"
#include "conf/node.h"
#include "support/process.h"

namespace belay::test {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void wrong(const conf::Node& node, const std::string& what) { throw std::runtime_error(node.position().to_string() + ": " + what); }

// A mapping with these keys and no others.
const conf::Node& mapping(const conf::Node& node, std::initializer_list<std::string_view> keys) {
  if (!node.is_map()) wrong(node, "must be a mapping");
  for (const conf::Entry& entry : node.entries()) {
    if (std::find(keys.begin(), keys.end(), entry.key) == keys.end()) wrong(entry.value, "unknown key " + entry.key);
  }
  return node;
}

std::string text(const conf::Node& node, const std::string& otherwise = {}) {
  if (!node.present()) return otherwise;
  if (!node.is_scalar()) wrong(node, "must be a text");
  return node.text();
}

int number(const conf::Node& node, int otherwise) { return node.present() ? std::stoi(text(node)) : otherwise; }

std::vector<std::pair<std::string, std::string>> pairs(const conf::Node& node) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const conf::Entry& entry : node.entries()) out.emplace_back(entry.key, text(entry.value));
  return out;
}

Signature signature(const conf::Node& node, Signature out = {}) {
  mapping(node, {"key", "decode", "digest", "encoding", "over", "header", "form"});
  out.key = text(node.at("key"), out.key);
  out.decode = text(node.at("decode"), out.decode);
  out.digest = text(node.at("digest"), out.digest);
  out.encoding = text(node.at("encoding"), out.encoding);
  out.over = text(node.at("over"), out.over);
  out.header = text(node.at("header"), out.header);
  out.form = text(node.at("form"), out.form);
  return out;
}

Delivered delivered(const conf::Node& node) {
  mapping(node, {"method", "path", "headers", "body", "fields", "attempts", "signed"});
  Delivered out;
  out.method = text(node.at("method"), out.method);
  out.path = text(node.at("path"));
  for (const conf::Entry& entry : node.at("headers").entries()) {
    out.headers.emplace_back(entry.key, entry.value.is_scalar() ? std::optional(entry.value.text()) : std::nullopt);
  }
  const conf::Node& body = node.at("body");
  out.as_sent = body.present() && text(body) == "as sent";
  if (body.present() && !out.as_sent) out.body = text(body);
  out.fields = pairs(node.at("fields"));
  out.attempts = static_cast<size_t>(number(node.at("attempts"), 1));
  if (node.at("signed").present()) out.signature = signature(node.at("signed"));
  return out;
}

std::string file(const fs::path& path, const conf::Node& named) {
  std::string content = read_text(path.string());
  if (content.empty()) wrong(named, "cannot be read, or is empty");
  return content;
}

Case one_case(const conf::Node& node, const fs::path& folder, const std::optional<Signature>& usual) {
  mapping(node, {"case", "method", "path", "headers", "body", "file", "signed", "answer", "backend", "delivered"});
  Case out;
  out.name = text(node.at("case"));
  out.method = text(node.at("method"), out.method);
  out.path = text(node.at("path"));
  out.headers = pairs(node.at("headers"));
  out.body = node.at("file").present() ? file(folder / text(node.at("file")), node.at("file")) : text(node.at("body"));
  out.signature = usual;
  if (const conf::Node& how = node.at("signed"); how.is_map()) {
    out.signature = signature(how, usual.value_or(Signature{}));
  } else if (text(how) == "wrong" && out.signature) {
    out.signature->key.front() ^= 1;
  } else if (text(how) == "no") {
    out.signature.reset();
  } else if (how.present()) {
    wrong(how, "write wrong, no, or what differs from the way of the file");
  }
  const conf::Node& answer = node.at("answer");
  if (answer.is_map()) {
    mapping(answer, {"status", "headers", "body"});
    out.answer_headers = pairs(answer.at("headers"));
    if (answer.at("body").present()) out.answer = text(answer.at("body"));
  }
  out.status = number(answer.is_map() ? answer.at("status") : answer, 200);
  out.backend = text(node.at("backend"));
  for (const conf::Node& one : node.at("delivered").items()) out.delivered.push_back(delivered(one));
  return out;
}

}  // namespace

std::string fill(const std::string& text, const std::function<std::string(const std::string&)>& value) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text[at] == '{' ? text.find('}', at) : std::string::npos;
    if (end == std::string::npos) {
      out += text[at++];
      continue;
    }
    out += value(text.substr(at + 1, end - at - 1));
    at = end + 1;
  }
  return out;
}

std::string Signature::value(const std::function<std::string(const std::string&)>& of_request) const {
  const std::string bytes = decode == "base64" ? base64_decode(key).value() : key;
  const std::string over_bytes = fill(over, of_request);
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac;
  unsigned int length = 0;
  HMAC(EVP_get_digestbyname(digest.c_str()), bytes.data(), static_cast<int>(bytes.size()), reinterpret_cast<const unsigned char*>(over_bytes.data()), over_bytes.size(),
       mac.data(), &length);
  const std::string_view raw(reinterpret_cast<const char*>(mac.data()), length);
  const std::string written = encoding == "base64" ? base64_encode(raw) : hex_encode(raw);
  return fill(form, [&](const std::string& name) { return name == "signature" ? written : of_request(name); });
}

Recipe read_recipe(const std::string& folder) {
  conf::Problems problems;
  const auto document = conf::Document::load(folder + "/cases.yaml", problems);
  if (document == nullptr || !problems.empty()) throw std::runtime_error(problems.to_string());
  const conf::Node& root = mapping(document->root(), {"environment", "signed", "cases"});
  Recipe out;
  out.environment = pairs(root.at("environment"));
  std::optional<Signature> usual;
  if (root.at("signed").present()) usual = signature(root.at("signed"));
  for (const conf::Node& node : root.at("cases").items()) out.cases.push_back(one_case(node, folder, usual));
  out.rules = read_text(folder + "/rules.yaml");
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) out.files.emplace_back(fs::relative(entry.path(), folder).string(), read_text(entry.path().string()));
  }
  return out;
}

}  // namespace belay::test
