#include "cli/signing.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "base/bytes.h"
#include "http/parser.h"
#include "http/url.h"
#include "http/writer.h"

namespace belay::cli {

namespace {

std::string one_line(const conf::Problems& problems) {
  std::string text;
  for (const conf::Problem& problem : problems.all()) {
    if (!text.empty()) text += "; ";
    if (problem.position.line > 0) text += problem.position.to_string() + ": ";
    text += problem.what;
  }
  return text;
}

// The secret names a preset uses: `key` of its checks, and $secret.NAME. A value may hold '=' itself (base64), so only these
// count as NAME=.
void add_secret_names(const conf::Node& node, std::vector<std::string>& names) {
  const auto add = [&names](std::string name) {
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  };
  static constexpr std::string_view kStart = "$secret.";
  const std::string& text = node.text();
  for (size_t at = text.find(kStart); at != std::string::npos; at = text.find(kStart, at + 1)) {
    const size_t from = at + kStart.size();
    size_t end = from;
    while (end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) != 0 || text[end] == '_')) ++end;
    add(text.substr(from, end - from));
  }
  for (const conf::Node& item : node.items()) add_secret_names(item, names);
  for (const conf::Entry& entry : node.entries()) {
    if (entry.key == "key") {
      add(entry.value.is_scalar() ? entry.value.text() : entry.value.at("secret").text());
      for (const conf::Node& item : entry.value.at("secrets").items()) add(item.text());
    }
    add_secret_names(entry.value, names);
  }
}

signature::SecretTable secrets_of(const std::vector<std::string>& given, const std::vector<std::string>& names) {
  signature::SecretTable table;
  for (const std::string& text : given) {
    std::string name = "signing", value = text;
    const size_t equals = text.find('=');
    if (equals != std::string::npos && std::find(names.begin(), names.end(), text.substr(0, equals)) != names.end()) {
      name = text.substr(0, equals);
      value = text.substr(equals + 1);
    }
    table[name].push_back({.value = value, .valid_from = {}, .valid_until = {}});
  }
  return table;
}

Result<std::pair<std::string, std::string>> pair_of(const std::string& flag, const std::string& text, size_t equals) {
  if (equals == std::string::npos || equals == 0) return invalid(flag + " is written NAME=VALUE: " + printable(text));
  return std::pair{text.substr(0, equals), text.substr(equals + 1)};
}

class FileKeys final : public signature::KeySource {
 public:
  Result<void> add(const std::string& url, const std::string& file) {
    auto text = read_file(file, signature::kMaxDocument);
    if (!text) return text.error();
    auto keys = signature::parse_public_keys(*text);
    if (!keys) return Error{keys.error().kind, file + ": " + keys.error().message};
    known_[url] = std::make_shared<const signature::PublicKeys>(std::move(*keys));
    return {};
  }
  Answer get(const std::string& url, Need) override {
    const auto found = known_.find(url);
    if (found == known_.end()) return {};
    return {State::ready, found->second};
  }
  void when_known(const std::string&, std::function<void()> done) override { done(); }

 private:
  std::map<std::string, std::shared_ptr<const signature::PublicKeys>> known_;
};

Error unknown_preset(const std::string& name, const conf::PresetSet& set) {
  std::vector<std::string_view> known;
  for (const conf::Named& preset : set.presets) known.push_back(preset.name);
  const std::string near = conf::nearest(name, known);
  std::string all;
  for (const std::string_view preset : known) all.append(all.empty() ? "" : ", ").append(preset);
  return invalid("unknown preset '" + printable(name) + "'; " +
                 (near.empty() ? "there are: " + all : "did you mean '" + near + "'?"));
}

}  // namespace

void add_signing_flags(CLI::App& command, SigningFlags& flags) {
  command.add_option("preset", flags.preset, "Preset: a sender's scheme, for example github")
      ->required()
      ->type_name("PRESET");
  command.add_option("--secret", flags.secrets, "Secret, or a key in PEM, JWK, base64 or hex; several are all tried")
      ->type_name("[NAME=]SECRET")
      ->allow_extra_args(false);
  command.add_option("--param", flags.params, "Further setting of the preset")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  command.add_option("--key-file", flags.key_files, "File with the keys that the sender publishes at a URL")
      ->type_name("URL=FILE")
      ->allow_extra_args(false);
  command.add_option("--now", flags.now, "Moment to judge or sign at, in Unix seconds")->type_name("UNIX");
}

Result<SigningPreset> SigningPreset::load(const SigningFlags& flags) {
  conf::Problems problems;
  SigningPreset preset;
  preset.presets_ = conf::load_presets({}, problems);
  const auto& presets = preset.presets_.presets;
  const auto found =
      std::find_if(presets.begin(), presets.end(), [&](const conf::Named& each) { return each.name == flags.preset; });
  if (found == presets.end()) return unknown_preset(flags.preset, preset.presets_);
  preset.node_ = found->node;
  const conf::Node& verify = preset.node_.at("verify");
  if (!verify.present()) return invalid("preset '" + flags.preset + "' has no verify: its sender proves nothing");
  std::vector<std::string> names{"signing"};
  add_secret_names(verify, names);
  std::vector<std::string> handshake_names;
  add_secret_names(preset.node_.at("handshake"), handshake_names);
  names.insert(names.end(), handshake_names.begin(), handshake_names.end());
  signature::Keyring keyring{secrets_of(flags.secrets, names), {}};
  for (const auto& [name, values] : keyring.secrets) {
    for (const conf::SecretValue& value : values) {
      // Fail closed: anybody can sign with an empty secret.
      if (value.value.empty()) return Error{ErrorKind::refused, "the secret is empty"};
    }
  }
  for (const std::string& param : flags.params) {
    auto pair = pair_of("--param", param, param.find('='));
    if (!pair) return pair.error();
    keyring.params.insert(std::move(*pair));
  }
  auto keys = std::make_unique<FileKeys>();
  for (const std::string& key_file : flags.key_files) {
    const auto pair = pair_of("--key-file", key_file, key_file.rfind('='));
    if (!pair) return pair.error();
    if (auto added = keys->add(pair->first, pair->second); !added) return added.error();
  }
  preset.keys_ = std::move(keys);
  preset.scheme_ = signature::Scheme::build(verify, keyring, {}, problems);
  const conf::Node& handshake = preset.node_.at("handshake");
  // A token that was agreed on for the handshake alone need not be given: then no request is taken for one.
  const bool can_answer = std::all_of(handshake_names.begin(), handshake_names.end(),
                                      [&](const std::string& name) { return keyring.secrets.contains(name); });
  if (preset.scheme_ && handshake.present() && can_answer) {
    preset.handshake_ =
        modules::Handshake::build(handshake, signature::Scheme::build(verify, keyring, {}, problems), keyring, problems);
  }
  if (!preset.scheme_ || !problems.empty()) return Error{ErrorKind::refused, one_line(problems)};
  return preset;
}

std::string SigningPreset::header_of(std::string_view fact) const {
  static constexpr std::string_view kStart = "$headers[\"", kEnd = "\"]";
  const std::string& text = node_.at("identify").at(fact).text();
  if (!text.starts_with(kStart) || !text.ends_with(kEnd)) return {};
  const std::string name = text.substr(kStart.size(), text.size() - kStart.size() - kEnd.size());
  return http::is_token(name) ? name : std::string();
}

Result<std::unique_ptr<LooseExchange>> LooseExchange::create(WallTime now) {
  // One for the process: SharedMemory lives until its end.
  static pipeline::SharedMemory* shared = nullptr;
  if (shared == nullptr) {
    auto made = pipeline::SharedMemory::create();
    if (!made) return made.error();
    shared = *made;
  }
  std::unique_ptr<LooseExchange> loose(new LooseExchange());
  loose->clock_.set_wall(now);
  loose->source_.name = "command line";
  loose->services_.reset(new pipeline::Services{loose->clock_, loose->random_, *shared});
  loose->exchange_ = std::make_unique<pipeline::Exchange>(*loose->services_);
  loose->exchange_->received = now;
  loose->exchange_->source = &loose->source_;
  return loose;
}

Result<void> LooseExchange::parse(std::string bytes) {
  auto request = RawRequest::parse(std::move(bytes));
  if (!request) return request.error();
  raw_ = std::move(*request);
  exchange_->request = raw_->head;
  exchange_->body = raw_->body;
  return {};
}

void LooseExchange::set(std::vector<std::pair<std::string, std::string>> fields, std::string body, const http::Url& to) {
  fields_ = std::move(fields);
  body_ = std::move(body);
  target_ = to.path.empty() ? "/" : to.path;
  const size_t path_size = target_.size();
  if (!to.query.empty()) target_ += "?" + to.query;
  host_ = to.host.empty() ? std::string() : to.authority();
  http::RequestHead& head = exchange_->request;
  head.method = "POST";
  head.host = host_;
  head.target = target_;
  head.path = head.target.substr(0, path_size);
  if (!to.query.empty()) head.query = head.target.substr(path_size + 1);
  head.fields.clear();
  for (const auto& [name, value] : fields_) head.fields.add(name, value);
  exchange_->body = body_;
  exchange_->client.tls = to.scheme == "https";
}

Result<void> add_headers(const std::vector<std::string>& headers, FieldList& fields) {
  for (const std::string& header : headers) {
    const size_t colon = header.find(':');
    if (colon == std::string::npos || !http::is_token(header.substr(0, colon))) return invalid("--header is written NAME: VALUE");
    const auto& [name, value] = fields.emplace_back(header.substr(0, colon), trim_ows(std::string_view(header).substr(colon + 1)));
    if (!http::is_field_value(value)) return invalid("the value of " + printable(name) + " cannot be sent in a header");
  }
  return {};
}

std::string content_type_of(std::string_view body) {
  const std::string_view text = trim_ows(body.substr(0, 64));
  if (text.starts_with('{') || text.starts_with('[')) return "application/json";
  if (text.starts_with('<')) return "application/xml";
  return "application/x-www-form-urlencoded";
}

WallTime now_of(const SigningFlags& flags) {
  return flags.now ? wall_from_ms(*flags.now * 1000) : SystemClock().wall();
}

}  // namespace belay::cli
