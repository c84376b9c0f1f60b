#include "admin/companion.h"

#include <utility>

#include "admin/server.h"
#include "base/log.h"

namespace belay::admin {

namespace {

class Companion final : public spool::Companion {
 public:
  Companion(event::Loop& loop, spool::Operations& operations, const Clock& clock, const conf::AdminSettings& settings)
      : listen_(settings.listen), server_(loop, operations, clock, {settings.listen, settings.tokens, settings.socket_mode}) {}

  Result<void> start() { return server_.start(); }

  void reloaded(const conf::Configuration& configuration) override {
    server_.set_tokens(configuration.admin.tokens);
    if (configuration.admin.listen != listen_) {
      log::warn("admin.listen is now {}; restart the spool to move there from {}", configuration.admin.listen, listen_);
    }
  }

 private:
  const std::string listen_;
  AdminServer server_;
};

}  // namespace

Result<std::unique_ptr<spool::Companion>> make_companion(event::Loop& loop, spool::Operations& operations,
                                                         const Clock& clock, const conf::Configuration& configuration) {
  auto companion = std::make_unique<Companion>(loop, operations, clock, configuration.admin);
  if (const Result<void> started = companion->start(); !started) return started.error();
  if (configuration.admin.tokens.empty()) {
    log::warn("the admin API on {} lets nobody in: admin.token is not set", configuration.admin.listen);
  } else {
    log::info("admin API on {}", configuration.admin.listen);
  }
  return std::unique_ptr<spool::Companion>(std::move(companion));
}

}  // namespace belay::admin
