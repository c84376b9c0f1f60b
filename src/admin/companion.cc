#include "admin/companion.h"

#include <utility>

#include "admin/alert_watch.h"
#include "admin/server.h"
#include "base/log.h"

namespace belay::admin {

namespace {

class Companion final : public spool::Companion {
 public:
  Companion(event::Loop& loop, spool::Operations& operations, const Clock& clock, const conf::Configuration& configuration)
      : listen_(configuration.admin.listen),
        server_(loop, operations, clock, {listen_, configuration.admin.tokens, configuration.admin.socket_mode}),
        alerts_(loop, operations, clock, configuration.alerts) {}

  Result<void> start() { return server_.start(); }

  void reloaded(const conf::Configuration& configuration) override {
    server_.set_tokens(configuration.admin.tokens);
    alerts_.use(configuration.alerts);
    if (configuration.admin.listen != listen_) {
      log::warn("admin.listen is now {}; restart the spool to move there from {}", configuration.admin.listen, listen_);
    }
  }

 private:
  const std::string listen_;
  AdminServer server_;
  AlertWatch alerts_;
};

}  // namespace

Result<std::unique_ptr<spool::Companion>> make_companion(event::Loop& loop, spool::Operations& operations,
                                                         const Clock& clock, const conf::Configuration& configuration) {
  auto companion = std::make_unique<Companion>(loop, operations, clock, configuration);
  if (const Result<void> started = companion->start(); !started) return started.error();
  if (configuration.admin.tokens.empty()) {
    log::warn("the admin API on {} lets nobody in: admin.token is not set", configuration.admin.listen);
  } else {
    log::info("admin API on {}", configuration.admin.listen);
  }
  return std::unique_ptr<spool::Companion>(std::move(companion));
}

}  // namespace belay::admin
