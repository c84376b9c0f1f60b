// A recorded webhook as the admin API tells it, back as the request it was: for explain and rehearse. Pure but for the asking.
// Failure: an Error that says why it cannot be read; kind corrupt means this webhook alone.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/admin_client.h"
#include "cli/dry_run.h"
#include "cli/json_view.h"
#include "wire/messages.h"

namespace belay::cli {

// A request in the API's notation: what came, or what a delivery sends.
struct RecordedRequest {
  static Result<RecordedRequest> read(const JsonView& view);
  // Up to the empty line, as the sender wrote it.
  std::string head() const;
  bool same_as(const wire::StoredRequest& other) const;

  std::string method, target, path, body;
  std::vector<std::pair<std::string, std::string>> fields;
};

struct RecordedWebhook {
  // `message`: an answer of GET /v1/messages/ID.
  static Result<RecordedWebhook> read(const JsonView& message);

  RecordedRequest as_written;
  std::unique_ptr<RawRequest> request;
  MessageId id;
  WallTime received;
  DrySender sender;
};

}  // namespace belay::cli
