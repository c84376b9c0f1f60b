// belay send: correctly signed test webhooks, one after another, and what came back.
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "base/bytes.h"
#include "base/id.h"
#include "cli/commands.h"
#include "cli/signing.h"
#include "event/resolver.h"
#include "http/url.h"
#include "http/writer.h"
#include "upstream/client.h"

namespace belay::cli {

namespace {

constexpr Duration kConnectTimeout{5'000};
constexpr Duration kTimeout{60'000};
constexpr size_t kShownAnswer = 200;  // bytes of an answer that is not 2xx

struct Options {
  SigningFlags signing;
  std::string type, to;
  std::vector<std::string> headers, files;
};

int refuse(const Error& error) {
  fmt::print(stderr, "belay send: {}\n", error.message);
  return error.kind == ErrorKind::invalid ? 2 : 1;
}

class Sender {
 public:
  explicit Sender(http::Url url)
      : resolver_(loop_), client_(loop_, resolver_), to_(std::make_shared<upstream::Destination>()) {
    to_->name = "send";
    to_->timeout = kTimeout;
    to_->connect_timeout = kConnectTimeout;
    to_->concurrency = 1;
    to_->network_allow.push_back({IpAddress{}, 0});  // whoever types the address may reach it
    to_->urls.push_back(std::move(url));
  }

  Result<void> use_tls() {
    auto tls = event::ClientTls::create({});
    if (!tls) return tls.error();
    to_->tls = std::move(*tls);
    return {};
  }

  struct Answer {
    int status = 0;
    Duration took{};
    std::string text;  // an error, or the beginning of the body
  };
  const http::Url& to() const { return to_->urls[0]; }

  Answer send(const http::Fields& fields, std::string_view query, std::string_view body) {
    const std::string target = query.empty() ? to_->urls[0].path : to_->urls[0].path + "?" + std::string(query);
    const upstream::Outbound request{
        .method = "POST", .target = target, .fields = &fields, .body = body, .has_body = true};
    std::optional<Answer> answer;
    const auto call = client_.send(to_, request, [&](const upstream::Attempt& attempt) {
      const bool answered = attempt.outcome == upstream::Outcome::answered;
      answer = Answer{attempt.status(), attempt.total, answered ? std::string(attempt.body) : attempt.error};
      if (!answered && attempt.error.empty()) answer->text = upstream::to_string(attempt.outcome);
    });
    if (!loop_.run_until([&] { return answer.has_value(); }, kConnectTimeout + kTimeout))
      return {0, kTimeout, "no answer in time"};
    return *answer;
  }

 private:
  event::Loop loop_;
  event::Resolver resolver_;
  upstream::Client client_;
  std::shared_ptr<upstream::Destination> to_;
};

// The fields a sender of this preset puts on every webhook, before it signs.
Result<std::vector<std::pair<std::string, std::string>>> fields_of(const Options& options, const SigningPreset& preset,
                                                                   std::string_view body) {
  std::vector<std::pair<std::string, std::string>> fields = {{"Content-Type", content_type_of(body)},
                                                             {"User-Agent", "belay-send/" BELAY_VERSION}};
  if (!options.type.empty()) {
    const std::string name = preset.header_of("type");
    if (name.empty())
      return invalid("--event: the event type of this preset stands in the payload; write it into the file");
    fields.emplace_back(name, options.type);
  }
  if (const std::string name = preset.header_of("id"); !name.empty()) {
    const SystemClock clock;
    SystemRandom random;
    fields.emplace_back(name, IdGenerator(clock, random).next().to_string());
  }
  if (auto added = add_headers(options.headers, fields); !added) return added.error();
  for (const auto& [name, value] : fields) {
    if (!http::is_field_value(value)) return invalid("the value of " + printable(name) + " cannot be sent in a header");
  }
  return fields;
}

Result<Sender::Answer> send_file(const Options& options, const SigningPreset& preset, Sender& sender,
                                 const std::string& file) {
  auto body = read_input(file);
  if (!body) return body.error();
  auto fields = fields_of(options, preset, *body);
  if (!fields) return fields.error();
  auto loose = LooseExchange::create(now_of(options.signing));
  if (!loose) return loose.error();
  (*loose)->set(std::move(*fields), std::move(*body), sender.to());
  pipeline::Exchange& exchange = (*loose)->exchange();
  const auto made = preset.scheme().sign(exchange.context(), now_of(options.signing), preset.keys());
  if (!made) return made.error();
  http::Fields all = exchange.request.fields;
  for (const auto& [name, value] : made->fields) all.add(name, value);
  return sender.send(all, made->query, made->body ? std::string_view(*made->body) : exchange.body);
}

int send(const Options& options) {
  const auto preset = SigningPreset::load(options.signing);
  if (!preset) return refuse(preset.error());
  auto url =
      http::parse_url(options.to.empty() ? "http://127.0.0.1:8080/webhooks/" + options.signing.preset : options.to);
  if (!url) return refuse(invalid("--to: " + url.error().message));
  const bool tls = url->scheme == "https";
  Sender sender(std::move(*url));
  if (tls) {
    if (const auto ready = sender.use_tls(); !ready) return refuse(ready.error());
  }
  bool all_taken = true;
  for (const std::string& file : options.files) {
    const auto answer = send_file(options, *preset, sender, file);
    if (!answer) return refuse({answer.error().kind, file + ": " + answer.error().message});
    const bool taken = answer->status / 100 == 2;
    all_taken = all_taken && taken;
    const std::string status = answer->status == 0 ? "---" : std::to_string(answer->status);
    fmt::print("{}  {:>5} ms  {}{}\n", status, answer->took.count(), file,
               taken || answer->text.empty() ? "" : "  " + printable(answer->text, kShownAnswer));
  }
  return all_taken ? 0 : 1;
}

}  // namespace

void add_send(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("send", "Send correctly signed test webhooks");
  add_signing_flags(*command, options->signing);
  command->add_option("--event", options->type, "Event type, for senders that put it into a header")->type_name("TYPE");
  command->add_option("--header", options->headers, "Further header field")
      ->type_name("\"NAME: VALUE\"")
      ->allow_extra_args(false);
  command->add_option("--to", options->to, "Where to (default: http://127.0.0.1:8080/webhooks/preset)")
      ->type_name("URL");
  command->add_option("files", options->files, "Bodies, sent in this order; - for standard input")
      ->required()
      ->type_name("FILE");
  command->callback([options, &exit_code] { exit_code = send(*options); });
}

}  // namespace belay::cli
