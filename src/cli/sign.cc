// belay sign: what a sender would add to this body: header fields, a query parameter, or a proof in the body itself. With --request
// the whole request, as `belay verify` reads it.
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "cli/signing.h"
#include "http/writer.h"

namespace belay::cli {

namespace {

struct Options {
  SigningFlags signing;
  std::string url = "http://127.0.0.1/";
  std::vector<std::string> headers;
  bool whole = false;
  std::string file;
};

int refuse(const Error& error) {
  fmt::print(stderr, "belay sign: {}\n", error.message);
  return error.kind == ErrorKind::invalid ? 2 : 1;
}

std::string request_of(const pipeline::Exchange& exchange, const signature::Scheme::Signed& made) {
  const http::RequestHead& head = exchange.request;
  const std::string_view body = made.body ? std::string_view(*made.body) : exchange.body;
  std::string target(head.target), out;
  if (!made.query.empty()) target.append(head.query.empty() ? "?" : "&").append(made.query);
  http::append_request_line(out, head.method, target);
  http::append_field(out, "Host", head.host);
  for (const http::Field& field : head.fields) http::append_field(out, field.name, field.value);
  for (const auto& [name, value] : made.fields) http::append_field(out, name, value);
  http::append_field(out, "Content-Length", std::to_string(body.size()));
  return out.append("\r\n").append(body);
}

int print(const Options& options, const pipeline::Exchange& exchange, const signature::Scheme::Signed& made) {
  if (options.whole) {
    const std::string request = request_of(exchange, made);
    std::fwrite(request.data(), 1, request.size(), stdout);
    return 0;
  }
  for (const auto& [name, value] : made.fields) fmt::print("{}: {}\n", name, value);
  if (!made.query.empty()) fmt::print("?{}\n", made.query);
  if (made.body) fmt::print(stderr, "belay sign: the proof stands in the payload; --request prints it\n");
  if (!made.body && made.fields.empty() && made.query.empty())
    fmt::print(stderr, "belay sign: nothing to add, the proof stands in the payload\n");
  return 0;
}

int sign(const Options& options) {
  const auto preset = SigningPreset::load(options.signing);
  if (!preset) return refuse(preset.error());
  auto body = read_input(options.file);
  if (!body) return refuse(body.error());
  const auto url = http::parse_url(options.url);
  if (!url) return refuse(invalid("--url: " + url.error().message));
  FieldList fields = {{"Content-Type", content_type_of(*body)}};
  if (auto added = add_headers(options.headers, fields); !added) return refuse(added.error());
  auto loose = LooseExchange::create(now_of(options.signing));
  if (!loose) return refuse(loose.error());
  (*loose)->set(std::move(fields), std::move(*body), *url);
  const auto made = preset->scheme().sign((*loose)->exchange().context(), now_of(options.signing), preset->keys());
  if (!made) return refuse({ErrorKind::refused, made.error().message});
  return print(options, (*loose)->exchange(), *made);
}

}  // namespace

void add_sign(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("sign", "Print what signs a body");
  add_signing_flags(*command, options->signing);
  command->add_option("--url", options->url, "Where it will be sent, for senders that sign the address")->type_name("URL");
  command->add_option("--header", options->headers, "Header field of the request")->type_name("\"NAME: VALUE\"")->allow_extra_args(false);
  command->add_flag("--request", options->whole, "Print the whole request, as belay verify reads it");
  command->add_option("file", options->file, "Body; - for standard input")->required()->type_name("FILE");
  command->callback([options, &exit_code] { exit_code = sign(*options); });
}

}  // namespace belay::cli
