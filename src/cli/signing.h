// What verify, sign and send share: a preset with its secrets from the command line, and a request as an exchange. One
// command, one thread. Failure: an Error for people; nothing of a secret is in it.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "cli/raw_request.h"
#include "conf/configuration.h"
#include "http/url.h"
#include "modules/handshake/handshake.h"
#include "signature/scheme.h"
#include "pipeline/module.h"

namespace belay::cli {

struct SigningFlags {
  std::string preset;
  std::vector<std::string> secrets;  // [NAME=]VALUE
  std::vector<std::string> params;   // NAME=VALUE
  std::vector<std::string> key_files;  // URL=FILE
  std::optional<int64_t> now;        // Unix seconds
};

// PRESET, --secret, --param, --key-file, --now.
void add_signing_flags(CLI::App& command, SigningFlags& flags);

// A preset, compiled with the secrets given.
class SigningPreset {
 public:
  static Result<SigningPreset> load(const SigningFlags& flags);

  const signature::Scheme& scheme() const { return *scheme_; }
  // The documents of --key-file, in place of what senders publish.
  signature::KeySource* keys() const { return keys_.get(); }
  const modules::Handshake* handshake() const { return handshake_.get(); }  // null when the preset has none
  // The header that carries what identify calls `fact` ("type", "id"); empty when it stands elsewhere.
  std::string header_of(std::string_view fact) const;

 private:
  conf::PresetSet presets_;
  conf::Node node_;
  std::unique_ptr<signature::Scheme> scheme_;
  std::unique_ptr<signature::KeySource> keys_;
  std::unique_ptr<modules::Handshake> handshake_;
};

// A request outside any proxy, with the world its exchange needs.
class LooseExchange {
 public:
  static Result<std::unique_ptr<LooseExchange>> create(WallTime now);

  // Takes a raw HTTP/1.1 request apart. The error says what is wrong with the file.
  Result<void> parse(std::string bytes);
  // A POST of `body` with these fields to `to`, whose default is the root of a host without a name.
  void set(std::vector<std::pair<std::string, std::string>> fields, std::string body, const http::Url& to = {});

  pipeline::Exchange& exchange() { return *exchange_; }

 private:
  LooseExchange() = default;
  ManualClock clock_;
  SystemRandom random_;
  pipeline::Source source_;
  std::unique_ptr<pipeline::Services> services_;
  std::unique_ptr<pipeline::Exchange> exchange_;
  std::unique_ptr<RawRequest> raw_;
  std::string body_, target_, host_;
  std::vector<std::pair<std::string, std::string>> fields_;
};

// --now, else the system's.
WallTime now_of(const SigningFlags& flags);

// "NAME: VALUE" of --header, each as a field.
using FieldList = std::vector<std::pair<std::string, std::string>>;
Result<void> add_headers(const std::vector<std::string>& headers, FieldList& fields);

// What a body looks like, as its sender would call it.
std::string content_type_of(std::string_view body);

}  // namespace belay::cli
