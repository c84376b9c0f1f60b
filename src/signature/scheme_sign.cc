// The sender's side of a scheme, for `belay sign` and `belay send`: the same parts, the other way round.
#include <algorithm>

#include "base/bytes.h"
#include "base/random.h"
#include "http/url.h"
#include "signature/scheme.h"

namespace belay::signature {

namespace {

constexpr std::string_view kHeadersStart = "$headers[";

// NAME of every $headers["NAME"] in an expression, once.
void add_headers_of(std::string_view expression, std::vector<std::string>& names) {
  for (size_t at = expression.find(kHeadersStart); at != std::string_view::npos;
       at = expression.find(kHeadersStart, at + 1)) {
    const std::string_view rest = expression.substr(at + kHeadersStart.size());
    const size_t end = rest.empty() ? std::string_view::npos : rest.find(rest.front(), 1);
    if (end == std::string_view::npos || (rest.front() != '"' && rest.front() != '\'')) continue;
    const std::string_view name = rest.substr(1, end - 1);
    const auto same = [name](const std::string& known) { return ascii_iequals(known, name); };
    if (std::none_of(names.begin(), names.end(), same)) names.emplace_back(name);
  }
}

}  // namespace

std::string Scheme::encode(std::string_view bytes) const {
  switch (encoding_) {
    case Encoding::hex: return hex_encode(bytes);
    case Encoding::base64: return base64_encode(bytes);
    case Encoding::base64url: return base64url_encode(bytes);
  }
  return {};
}

void Scheme::collect_signed_headers() {
  for (const auto& over : overs_) {
    for (const auto& part : over->parts()) {
      if (part.expression) add_headers_of(part.expression->text(), signed_headers_);
    }
  }
}

Result<std::string> Scheme::proof(payload::RequestContext& context, std::string_view timestamp, WallTime now) const {
  if (algorithm_ == Algorithm::jwt) return jwt_->make(now);
  if (algorithm_ == Algorithm::equal) {
    for (const conf::SecretValue& value : secret_) {
      if (value.valid_at(now)) return value.value;
    }
  }
  for (const MacKey& key : keys_) {
    if (!key.window.valid_at(now)) continue;
    if (!feed(*overs_.front(), key.mac, context, timestamp, now))
      return invalid("the file lacks something that this scheme signs");
    Mac::Room room;
    return encode(key.mac.finish(room));
  }
  return invalid("no secret is valid now");
}

Result<Scheme::Signed> Scheme::sign(payload::RequestContext& request, WallTime now) const {
  Signed out;
  const std::string timestamp = timestamp_ ? timestamp_->write(now) : std::string();
  if (timestamp_ && !timestamp_->header().empty()) out.fields.emplace_back(timestamp_->header(), timestamp);
  for (const std::string& name : signed_headers_) {
    if (request.view().head->fields.find(name) != nullptr) continue;
    // The same in every attempt of a message.
    if (const std::string_view* id = request.view().head->fields.find("webhook-id")) {
      out.fields.emplace_back(name, *id);
      continue;
    }
    std::string bytes;
    SystemRandom random;
    put_be64(bytes, random.next());
    out.fields.emplace_back(name, "msg_" + hex_encode(bytes));
  }
  // The request as it will be, as far as what is signed goes.
  http::RequestHead head = *request.view().head;
  for (const auto& [name, value] : out.fields) head.fields.add(name, value);
  payload::RequestView view = request.view();
  view.head = &head;
  payload::RequestContext context(view);
  const auto made = proof(context, timestamp, now);
  if (!made) return made.error();
  const std::string text = place_->compose(*made, timestamp);
  switch (place_->kind()) {
    case SignaturePlace::Kind::header: out.fields.emplace_back(place_->name(), text); break;
    case SignaturePlace::Kind::query: out.query = place_->name() + "=" + http::percent_encode(text); break;
    case SignaturePlace::Kind::payload:
      if (const std::string_view reason = check(context, now); !reason.empty()) {
        return invalid("the proof of this scheme stands in the payload: " + std::string(reason) +
                       "; write it into the file");
      }
      break;
  }
  return out;
}

}  // namespace belay::signature
