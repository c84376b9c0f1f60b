#include "cli/recorded.h"

#include "base/bytes.h"
#include "cli/human.h"

namespace belay::cli {

Result<RecordedRequest> RecordedRequest::read(const JsonView& view) {
  RecordedRequest request;
  request.method = view["method"].text();
  request.target = view["target"].text();
  request.path = view["path"].text();
  request.body = view["body"].text();
  if (view["body_base64"].present()) {
    auto body = base64_decode(view["body_base64"].text());
    if (!body) return Error{ErrorKind::corrupt, "its body is not base64"};
    request.body = std::move(*body);
  }
  for (const JsonView& field : view["headers"].items()) {
    const auto pair = field.items();
    if (pair.size() != 2) return Error{ErrorKind::corrupt, "its headers are not pairs"};
    request.fields.emplace_back(pair[0].text(), pair[1].text());
  }
  return request;
}

std::string RecordedRequest::head() const {
  std::string out = method + ' ' + target + " HTTP/1.1\r\n";
  for (const auto& [name, value] : fields) out.append(name).append(": ").append(value).append("\r\n");
  return out += "\r\n";
}

bool RecordedRequest::same_as(const wire::StoredRequest& other) const {
  return method == other.method && target == other.target && path == other.path && fields == other.fields && body == other.body;
}

Result<RecordedWebhook> RecordedWebhook::read(const JsonView& message) {
  if (!message["stored"].boolean()) {
    return Error{ErrorKind::corrupt, "its request is not stored: only spooled webhooks and those in quarantine are (it was " + message["outcome"].text() + ")"};
  }
  auto written = RecordedRequest::read(message["request"]);
  if (!written) return written.error();
  RecordedWebhook webhook;
  webhook.as_written = std::move(*written);
  auto request = RawRequest::of(webhook.as_written.head(), webhook.as_written.body);
  if (!request) return Error{ErrorKind::corrupt, request.error().message};
  webhook.request = std::move(*request);
  const auto id = MessageId::parse(message["id"].text());
  const auto received = read_time(message["received"].text());
  const auto sender = DrySender::parse(message["client"].text());
  if (!id || !received || !sender) return Error{ErrorKind::corrupt, "its line cannot be read"};
  webhook.id = *id;
  webhook.received = *received;
  webhook.sender = *sender;
  webhook.sender.tls = message["request"]["tls"].boolean();
  webhook.sender.vouched = true;  // what nobody vouched for was not stored
  return webhook;
}

}  // namespace belay::cli
