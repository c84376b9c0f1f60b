// belay verify: would this request be believed? The same code as in the gateway, with the clock where the caller puts
// it.
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "base/bytes.h"
#include "cli/commands.h"
#include "cli/signing.h"
#include "http/url.h"

namespace belay::cli {

namespace {

struct Options {
  SigningFlags signing;
  std::string url, file;
};

int refuse(const Error& error) {
  fmt::print(stderr, "belay verify: {}\n", error.message);
  return error.kind == ErrorKind::invalid ? 2 : 1;
}

int verify(const Options& options) {
  const auto preset = SigningPreset::load(options.signing);
  if (!preset) return refuse(preset.error());
  auto loose = LooseExchange::create(now_of(options.signing));
  if (!loose) return refuse(loose.error());
  auto bytes = read_input(options.file);
  if (!bytes) return refuse(bytes.error());
  if (const auto parsed = (*loose)->parse(std::move(*bytes)); !parsed)
    return refuse(invalid(options.file + ": " + parsed.error().message));
  pipeline::Exchange& exchange = (*loose)->exchange();
  if (!options.url.empty()) {
    if (const auto url = http::parse_url(options.url); !url) return refuse(invalid("--url: " + url.error().message));
    exchange.context().set_url(options.url);
  }
  if (preset->handshake() != nullptr && preset->handshake()->handle(exchange) == pipeline::Verdict::reply) {
    if (exchange.outcome != wire::Outcome::filtered) return refuse({ErrorKind::refused, exchange.reason});
    std::string fields = exchange.reply.head;
    std::erase(fields, '\r');
    fmt::print(stderr, "handshake: answered with {}\n{}", exchange.reply.status, fields);
    fmt::print("{}\n", exchange.reply.body);
    return 0;
  }
  const signature::Finding finding = preset->scheme().check(exchange.context(), exchange.received, preset->keys());
  if (finding.is == signature::Finding::Is::unavailable)
    return refuse({ErrorKind::unavailable, "the keys at " + finding.url + " are not given; write --key-file " + finding.url + "=FILE"});
  if (!finding.genuine()) return refuse({ErrorKind::refused, std::string(finding.reason)});
  fmt::print("valid ({})\n", pipeline::to_string(preset->scheme().trust()));
  return 0;
}

}  // namespace

void add_verify(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("verify", "Check the signature of a recorded request");
  add_signing_flags(*command, options->signing);
  command->add_option("--url", options->url, "Public URL that was signed, where it is not the request's own")
      ->type_name("URL");
  command->add_option("file", options->file, "Raw HTTP/1.1 request; - for standard input")
      ->required()
      ->type_name("REQUEST.http");
  command->callback([options, &exit_code] { exit_code = verify(*options); });
}

}  // namespace belay::cli
