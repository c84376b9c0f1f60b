// Destinations as an operator sees and stops them: what the dispatcher last said of each, and pause, resume, enable, disable
// as durable steps. Part of StoreOperations. Thread-safe; must not outlive the store.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "spool/operations.h"
#include "upstream/destination.h"

namespace belay::spool {

class DestinationControl {
 public:
  // `told`: every step that is durable, for the dispatcher.
  // `next_act`: ids for the audit log.
  DestinationControl(Store& store, const Clock& clock, std::function<MessageId()> next_act, std::function<void(StopOrder)> told)
      : store_(store), clock_(clock), next_act_(std::move(next_act)), told_(std::move(told)) {}

  void use(std::shared_ptr<const upstream::Destinations> destinations);
  void report(std::shared_ptr<const DestinationReports> reports);
  DestinationReports reports() const;  // by name
  void stop(const StopRequest& request, Done<StopResult> done);

 private:
  Result<std::string> known(const std::string& name) const;

  Store& store_;
  const Clock& clock_;
  const std::function<MessageId()> next_act_;
  const std::function<void(StopOrder)> told_;
  mutable std::mutex mutex_;
  std::shared_ptr<const upstream::Destinations> destinations_ = std::make_shared<upstream::Destinations>();
  std::shared_ptr<const DestinationReports> reports_ = std::make_shared<DestinationReports>();
};

}  // namespace belay::spool
