// belay sign: the header fields a sender would put on this body.
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "cli/signing.h"

namespace belay::cli {

namespace {

struct Options {
  SigningFlags signing;
  std::string file;
};

int refuse(const Error& error) {
  fmt::print(stderr, "belay sign: {}\n", error.message);
  return error.kind == ErrorKind::invalid ? 2 : 1;
}

int sign(const Options& options) {
  const auto preset = SigningPreset::load(options.signing);
  if (!preset) return refuse(preset.error());
  auto body = read_input(options.file);
  if (!body) return refuse(body.error());
  auto loose = LooseExchange::create(now_of(options.signing));
  if (!loose) return refuse(loose.error());
  (*loose)->set({}, std::move(*body));
  const auto made = preset->scheme().sign((*loose)->exchange().context(), now_of(options.signing), (*preset).keys());
  if (!made) return refuse({ErrorKind::refused, made.error().message});
  for (const auto& [name, value] : made->fields) fmt::print("{}: {}\n", name, value);
  if (!made->query.empty()) fmt::print("?{}\n", made->query);
  if (made->fields.empty() && made->query.empty())
    fmt::print(stderr, "belay sign: nothing to add, the proof stands in the payload\n");
  return 0;
}

}  // namespace

void add_sign(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("sign", "Print the header fields that sign a body");
  add_signing_flags(*command, options->signing);
  command->add_option("file", options->file, "Body; - for standard input")->required()->type_name("FILE");
  command->callback([options, &exit_code] { exit_code = sign(*options); });
}

}  // namespace belay::cli
