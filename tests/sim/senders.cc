#include "sim/senders.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/bytes.h"

namespace belay::sim {

namespace {

constexpr int kTries = 8;

}  // namespace

std::string signature_of(const std::string& body) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), kSigningSecret, sizeof kSigningSecret - 1, reinterpret_cast<const unsigned char*>(body.data()), body.size(), digest, &size);
  std::string hex;
  for (unsigned i = 0; i < size; ++i) fmt::format_to(std::back_inserter(hex), "{:02x}", digest[i]);
  return hex;
}

void Senders::start(Duration every) {
  every_ = every;
  next();
}

void Senders::next() {
  if (stopped_) return;
  const int64_t burst = dice_.chance(0.1) ? dice_.between(2, 8) : 1;
  const SourceFacts& source = dice_.pick(rules_.sources);
  for (int64_t i = 0; i < burst; ++i) create(source);
  agenda_.after(dice_.ms(0, 2 * every_.count()), [this] { next(); });
}

void Senders::create(const SourceFacts& source) {
  const std::string key = "k" + std::to_string(dice_.between(1, source.shape == Shape::batch ? 2 : 3));
  // Those with a short window use few keys again and again; the others have one for each webhook.
  const bool few = source.dedupe < std::chrono::hours(1);
  const std::string dedupe = "d" + std::to_string(few ? dice_.between(1, 12) : static_cast<int64_t>(++last_dedupe_));
  const bool forged = source.signed_by_sender && dice_.chance(0.3);
  size_t more = static_cast<size_t>(dice_.between(0, 60));
  if (source.shape != Shape::batch && dice_.chance(0.02)) more = static_cast<size_t>(dice_.between(1'500, 140'000));
  Webhook& webhook = oracle_.webhook(source, key, dedupe, std::string(more, static_cast<char>('a' + dice_.between(0, 25))), forged);
  ++unfinished_;
  send(webhook, kTries);
}

void Senders::send(Webhook& webhook, int tries_left) {
  const auto again = [this, &webhook, tries_left] { send(webhook, tries_left - 1); };
  if (!gate_.up()) {  // nobody listens
    if (tries_left <= 1) --unfinished_;
    else agenda_.after(dice_.ms(100, 2'000), again);
    return;
  }
  Gate::Sent sent{"/" + webhook.source->name, webhook.body, {{"Content-Type", "application/json"}}};
  if (webhook.source->signed_by_sender) {
    std::string signature = signature_of(webhook.body);
    if (webhook.forged) signature.front() = signature.front() == '0' ? '1' : '0';
    sent.fields.emplace_back("X-Signature", signature);
  }
  gate_.take(std::move(sent), [&](const MessageId& id) { oracle_.request_begins(webhook, id); },
             [this, &webhook, tries_left](const Answer& answer) { heard(webhook, tries_left, answer); });
}

void Senders::heard(Webhook& webhook, int tries_left, const Answer& answer) {
  if (answer.status != 0) oracle_.answered(answer);
  const bool good = answer.status / 100 == 2;
  const bool lost = dice_.chance(0.03);
  const bool refused = answer.status / 100 == 4 && answer.status != 429;
  const bool once_more = (good && dice_.chance(0.05)) || lost || (!good && !refused);
  if (!once_more || tries_left <= 1) {
    --unfinished_;
    return;
  }
  const bool much_later = good && dice_.chance(0.3);
  agenda_.after(much_later ? dice_.ms(5'000, 60'000) : dice_.ms(50, 3'000), [this, &webhook, tries_left] { send(webhook, tries_left - 1); });
}

}  // namespace belay::sim
