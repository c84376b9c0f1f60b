#include "cli/rehearsal.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/changes.h"
#include "cli/human.h"
#include "cli/recorded.h"

namespace belay::cli {

namespace {

constexpr std::string_view kAccepted = "accepted";

std::string word_of(std::string_view outcome) {
  return std::string(outcome == "forwarded" || outcome == "spooled" ? kAccepted : outcome);
}

// A delivery that was dead before it could be tried.
bool failed_to_form(const JsonView& delivery) { return delivery["state"].text() == "dead" && delivery["attempts"].number() == 0; }

// "order.id 1 → 2, header X-Kind added, …": what the new request has that the old one had not.
std::string told(const std::vector<Change>& changes) {
  constexpr size_t kMostChanges = 3, kMostText = 40;
  std::string out;
  for (size_t i = 0; i < std::min(changes.size(), kMostChanges); ++i) {
    const Change& change = changes[i];
    if (i > 0) out += ", ";
    out += visible(change.place, kMostText * 2);
    if (change.kind != Change::Kind::changed) {
      out.append(" ").append(to_string(change.kind));
    } else {
      out.append(" ").append(visible(change.before, kMostText)).append(" → ").append(visible(change.after, kMostText));
    }
  }
  if (changes.size() > kMostChanges) out += fmt::format(" and {} more", changes.size() - kMostChanges);
  return out;
}

std::string shown_path(const std::string& path) { return path.empty() ? "the destination's" : path; }

// What the destinations of one webhook got, against what they would get.
class Comparison {
 public:
  Comparison(const JsonView& message, const RecordedRequest& request, const DryRun& run)
      : message_(message), request_(request), mask_(run.exchange().source) {
    mask_.add(run.exchange());
    for (const auto& send : run.trace().sends) {
      mask_.add(*send.to, *run.ruleset().configuration);
      left_.push_back(&send);
    }
  }

  Result<std::vector<Difference>> run() {
    if (message_["outcome"].text() == "spooled" && message_["status"].number() == 0) answered_by_backend();
    for (const JsonView& delivery : message_["deliveries"].items()) {
      const std::string name = delivery["destination"].text();
      const auto* const send = take(name);
      if (send == nullptr) {
        note(Difference::Kind::lost, name, "does not get it any more");
      } else if (auto done = compare(delivery, *send, name); !done) {
        return done.error();
      }
    }
    for (const auto* send : left_) note(Difference::Kind::gained, send->to->name, "gets it, too");
    return std::move(found_);
  }

 private:
  // A first destination that answered the sender has no delivery: what it got is not stored.
  void answered_by_backend() {
    const std::string name = message_["destination"].text();
    if (take(name) == nullptr) note(Difference::Kind::lost, name, "does not get it any more");
  }

  // The next one to the destination: two routes may reach the same one, in the order of the routes.
  const pipeline::Trace::Send* take(const std::string& destination) {
    const auto found = std::find_if(left_.begin(), left_.end(), [&](const auto* send) { return send->to->name == destination; });
    if (found == left_.end()) return nullptr;
    const auto* const send = *found;
    left_.erase(found);
    return send;
  }

  Result<void> compare(const JsonView& delivery, const pipeline::Trace::Send& send, const std::string& name) {
    const bool failed = failed_to_form(delivery);
    if (failed || !send.failure.empty()) {
      if (failed && !send.failure.empty()) return {};
      note(Difference::Kind::rewritten, name, failed ? "its transform works now" : "its transform fails: " + mask_.text(send.failure));
      return {};
    }
    RecordedRequest sent = request_;
    if (delivery["sent"].present()) {
      auto made = RecordedRequest::read(delivery["sent"]);
      if (!made) return made.error();
      sent = std::move(*made);
    }
    if (sent.same_as(send.request)) return {};
    std::vector<Change> changes = payload_changes(sent.body, send.request.body);
    for (Change& change : changes) {
      change.before = mask_.text(change.before);
      change.after = mask_.text(change.after);
    }
    const auto head = RawRequest::of(sent.head(), {});
    if (!head) return head.error();
    for (Change& change : head_changes((*head)->head, send.request, true, mask_)) {
      if (change.place != "path") changes.push_back(std::move(change));
    }
    // A shape's path stands apart from its target.
    if (sent.path != send.request.path) changes.push_back({Change::Kind::changed, "path", shown_path(sent.path), shown_path(send.request.path)});
    note(Difference::Kind::rewritten, name, changes.empty() ? "gets another request" : "gets another request: " + told(changes));
    return {};
  }

  void note(Difference::Kind kind, const std::string& destination, const std::string& text) {
    found_.push_back({destination + ": " + text, destination, kind, {}, {}});
  }

  const JsonView& message_;
  const RecordedRequest& request_;
  Mask mask_;
  std::vector<const pipeline::Trace::Send*> left_;
  std::vector<Difference> found_;
};

}  // namespace

std::pair<std::string, std::string> Rehearsal::outcome(WallTime received) {
  const pipeline::Exchange& exchange = run_.exchange();
  const std::string word = word_of(wire::to_string(exchange.outcome));
  if (word != kAccepted) return {word, exchange.reason};
  for (const auto* claim : {&exchange.dedupe, &exchange.replay}) {
    if (!*claim) continue;
    const auto found = claimed_.find((*claim)->key);
    if (found == claimed_.end() || found->second <= received) continue;
    if (claim == &exchange.dedupe) return {"duplicate", "dedupe: the same as an earlier one"};
    return {"rejected", "verify: the same signed request was seen before"};
  }
  for (const wire::Claim& claim : exchange.claims()) claimed_[claim.key] = received + Duration(claim.window_ms);
  return {word, {}};
}

Result<std::vector<Difference>> Rehearsal::compare(const JsonView& message) {
  const auto webhook = RecordedWebhook::read(message);
  if (!webhook) return webhook.error();
  run_.run(*webhook->request, webhook->id, webhook->received, webhook->sender);

  std::vector<Difference> differences;
  const std::string old_source = message["source"].text();
  const std::string new_source = run_.exchange().source == nullptr ? std::string() : run_.exchange().source->name;
  if (old_source != new_source) {
    differences.push_back({fmt::format("source: {} → {}", old_source, new_source.empty() ? "none" : new_source), {}, Difference::Kind::source, old_source, new_source});
  }
  const std::string before = word_of(message["outcome"].text());
  const auto [after, reason] = outcome(webhook->received);
  if (before != after) {
    const std::string why = reason.empty() ? std::string() : " (" + reason + ")";
    differences.push_back({fmt::format("{} → {}{}", before, after, why), {}, Difference::Kind::outcome, before, after});
  }
  if (before != kAccepted || after != kAccepted) return differences;
  auto deliveries = Comparison(message, webhook->as_written, run_).run();
  if (!deliveries) return deliveries.error();
  for (Difference& difference : *deliveries) differences.push_back(std::move(difference));
  return differences;
}

void RehearsalSummary::add(const JsonView& message, std::vector<Difference> differences) {
  if (differences.empty()) {
    ++same;
    return;
  }
  ++changed;
  for (const Difference& difference : differences) {
    switch (difference.kind) {
      case Difference::Kind::outcome: ++outcomes[{difference.before, difference.after}]; break;
      case Difference::Kind::source: ++sources[{difference.before, difference.after}]; break;
      case Difference::Kind::gained: ++destinations[difference.destination].gained; break;
      case Difference::Kind::lost: ++destinations[difference.destination].lost; break;
      case Difference::Kind::rewritten: ++destinations[difference.destination].rewritten; break;
    }
  }
  if (examples.size() < kMaxExamples) examples.push_back({message["id"].text(), message["source"].text(), std::move(differences)});
}

}  // namespace belay::cli
