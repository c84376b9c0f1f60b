// The other side of a check: what a sender adds to a request.
#include "base/bytes.h"
#include "base/random.h"
#include "http/credentials.h"
#include "signature/payload_proof.h"
#include "signature/single_check.h"

namespace belay::signature {

Result<bool> SingleCheck::sign(Draft& draft, const Keyring& keyring, const std::string& url, WallTime now,
                               KeySource* keys) const {
  {
    payload::RequestContext context(draft.view());
    Work work(context, keyring, now, keys);
    work.lent.url = url;
    if (!applies(work)) return false;
    if (place_->kind() == SignaturePlace::Kind::expression || place_->kind() == SignaturePlace::Kind::form || each_) {
      if (check(work).genuine()) return true;
      const auto done = sign_payload(draft, work);
      return done ? Result<bool>(true) : Result<bool>(done.error());
    }
  }
  if (timestamp_ && !timestamp_->header().empty() && !draft.has_field(timestamp_->header()))
    draft.add_field(timestamp_->header(), timestamp_->write(now));
  SystemRandom random;
  for (const auto& [table, name, needed, offset] : signed_names_) {
    if (table != rules::Variable::headers || !needed || draft.has_field(name)) continue;
    // The same in every attempt of a message.
    if (const std::string_view* id = draft.view().head->fields.find("webhook-id")) {
      draft.add_field(name, std::string(*id));
      continue;
    }
    std::string bytes;
    put_be64(bytes, random.next());
    draft.add_field(name, "msg_" + hex_encode(bytes));
  }
  payload::RequestContext context(draft.view());
  Work work(context, keyring, now, keys);
  work.lent.url = url;
  auto text = make_one(work);
  if (!text) return text.error();
  if (place_->kind() == SignaturePlace::Kind::header) {
    if (!draft.has_added(place_->name())) draft.add_field(place_->name(), std::move(*text));
  } else {
    std::string given;
    if (http::single_query(draft.query(), place_->name(), given) == http::Presence::missing) draft.add_query(place_->name(), *text);
  }
  return true;
}

// What stands in the place of this request's signature, or of this element's.
Result<std::string> SingleCheck::make_one(Work& work) const {
  std::string timestamp, owned;
  if (timestamp_) {
    timestamp = timestamp_->write(work.now);
    std::string_view found;
    const bool elsewhere = timestamp_->signature_part().empty();
    if (elsewhere) {
      if (const std::string_view reason = timestamp_->find(work, {}, found, owned); !reason.empty())
        return invalid(std::string(reason) + "; this sender writes it into the payload");
      timestamp = found;
    }
  }
  GivenSignatures parts;
  for (const auto& [name, value] : place_->also()) {
    if (parts.part_count < GivenSignatures::kMaxParts) parts.parts[parts.part_count++] = {name, value};
  }
  work.lent.signature = &parts;
  work.lent.timestamp = timestamp;
  const auto made = prover_->make(work);
  work.lent.signature = nullptr;
  work.lent.timestamp = {};
  if (!made) return made.error();
  return place_->compose(*made, timestamp);
}

Result<void> SingleCheck::sign_payload(Draft& draft, Work& work) const {
  if (place_->kind() == SignaturePlace::Kind::form) {
    auto text = make_one(work);
    if (!text) return text.error();
    draft.set_body(with_form_field(draft.view().body, place_->name(), *text));
    return {};
  }
  std::vector<rules::Value> items(1);
  if (each_) {
    items.clear();
    if (const std::string_view reason = each_item(work, items); !reason.empty()) return invalid(std::string(reason));
  }
  const std::string expression = place_->expression() != nullptr ? std::string(place_->expression()->text()) : std::string();
  std::vector<PayloadProof> proofs;
  for (size_t i = 0; i < items.size(); ++i) {
    const std::string item = each_ ? std::string(each_->text()) + "[" + std::to_string(i) + "]" : std::string();
    const auto path = payload_path(expression, item);
    if (!path) return invalid("the proof of this scheme stands where only its sender can write it: " + expression);
    work.lent.item = items[i];
    auto text = make_one(work);
    work.lent.item = {};
    if (!text) return text.error();
    proofs.push_back({*path, std::move(*text)});
  }
  auto body = with_proofs(draft.view().body, proofs);
  if (!body) return body.error();
  draft.set_body(std::move(*body));
  return {};
}

}  // namespace belay::signature
