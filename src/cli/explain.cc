// belay explain: what each module decides for a request, and what each destination would get. The modules are the gateway's own;
// nothing is sent, stored or counted. The request is a file's, or a recorded webhook's: then its id, sender and time are, too.
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "cli/admin_client.h"
#include "cli/commands.h"
#include "cli/dry_run.h"
#include "cli/explain_view.h"
#include "cli/human.h"
#include "cli/recorded.h"
#include "conf/stand_in.h"

namespace belay::cli {

namespace {

struct Options {
  AdminFlags admin;  // its main file has the rules; the rest is asked for recorded webhooks only
  std::string request;
  std::string client;
  std::optional<int64_t> now;  // Unix seconds
  bool without_proof = false;
  bool json = false;
};

Result<RecordedWebhook> read_file_given(const Options& options) {
  auto bytes = read_input(options.request);
  if (!bytes) return invalid(bytes.error().message);
  auto request = RawRequest::parse(std::move(*bytes));
  if (!request) return invalid(options.request + ": " + request.error().message);
  RecordedWebhook webhook;
  webhook.request = std::move(*request);
  webhook.received = SystemClock().wall();
  webhook.sender = *DrySender::parse("127.0.0.1");
  return webhook;
}

Result<RecordedWebhook> read_recorded(const Options& options) {
  const auto client = AdminClient::create(options.admin);
  if (!client) return client.error();
  const auto document = (*client)->get_json("/v1/messages/" + options.request);
  if (!document) return document.error();
  auto webhook = RecordedWebhook::read(JsonView(**document));
  if (!webhook) return Error{webhook.error().kind, options.request + ": " + webhook.error().message};
  return webhook;
}

// The request with what the flags say instead of its own time and sender.
Result<RecordedWebhook> webhook_of(const Options& options) {
  const bool recorded = MessageId::parse(options.request).has_value();
  auto webhook = recorded ? read_recorded(options) : read_file_given(options);
  if (!webhook) return webhook;
  if (options.now) webhook->received = wall_from_ms(*options.now * 1000);
  if (!options.client.empty()) {
    const auto sender = DrySender::parse(options.client);
    if (!sender) return invalid("--client " + visible(options.client, 60) + ": write an address such as 192.0.2.7, or unix:");
    webhook->sender = *sender;
  }
  if (recorded) return webhook;
  ManualClock stands_still;
  stands_still.set_wall(webhook->received);
  SystemRandom random;
  webhook->id = IdGenerator(stands_still, random).next();
  return webhook;
}

int explain(const Options& options) {
  std::optional<conf::MissingSecretsStandIn> stand_in;
  if (options.without_proof) stand_in.emplace();
  auto ruleset = load_ruleset({.main_file = options.admin.config, .state_folder = options.admin.state});
  if (!ruleset) return 1;
  const auto webhook = webhook_of(options);
  if (!webhook) return report("explain", webhook.error());
  const auto run = DryRun::create(std::move(ruleset));
  if (!run) return report("explain", run.error());
  (*run)->run(*webhook->request, webhook->id, webhook->received, webhook->sender, options.without_proof);
  if (options.json) {
    fmt::print("{}\n", explain_json(**run));
  } else {
    fmt::print("{}", explain_text(**run, stdout_has_colours()));
  }
  return (*run)->accepted() ? 0 : 1;
}

}  // namespace

void add_explain(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("explain", "What the rules make of a request, step by step");
  add_admin_flags(*command, options->admin);
  command->get_option("--config")->required()->description("Main file with the rules; its admin section says where the running spool is");
  command->add_option("--client", options->client, "Address of the sender (127.0.0.1, or the recorded one), or unix:")->type_name("ADDRESS");
  command->add_option("--now", options->now, "Moment of receipt, in Unix seconds")->type_name("UNIX");
  command->add_flag("--unsigned", options->without_proof, "Let verify and auth pass what they would refuse; secrets may be missing");
  command->add_flag("--json", options->json, "One JSON object");
  command->add_option("request", options->request,
                      "File with a raw HTTP/1.1 request, as 'belay show ID --raw' prints it (- is standard input); or the ID of a recorded webhook")
      ->required()
      ->type_name("REQUEST.http|ID");
  command->callback([options, &exit_code] { exit_code = explain(*options); });
}

}  // namespace belay::cli
