#include "pipeline/exchange.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "pipeline/module.h"

namespace belay::pipeline {

namespace {

void empty(std::string& text) {
  if (text.capacity() > Exchange::kKeep) {
    std::string().swap(text);
  } else {
    text.clear();
  }
}

}  // namespace

void Resume::operator()() const {
  const auto target = target_.lock();
  if (!target || ticket_ == 0 || target->ticket != ticket_) return;
  target->ticket = 0;
  Runner::resume(*target->exchange);
}

Exchange* Resume::exchange() const {
  const auto target = target_.lock();
  return target && ticket_ != 0 && target->ticket == ticket_ ? target->exchange : nullptr;
}

Exchange::Exchange(Services& services_in) : services(services_in), made_memory(services_in.memory), reply_memory(services_in.memory) {}
Exchange::~Exchange() = default;

Resume Exchange::park() {
  if (!resume_target_) resume_target_ = std::make_shared<Resume::Target>(Resume::Target{this, 0});
  resume_target_->ticket = ++tickets_;
  return {resume_target_, tickets_};
}

payload::RequestContext& Exchange::context() {
  if (!client.unix_socket && client.cached_text.empty()) client.cached_text = client.address.to_string();
  const payload::RequestView view{
      .head = &request,
      .body = body,
      .client = client.unix_socket ? std::string_view("unix:") : std::string_view(client.cached_text),
      .tls_subject = client.tls_subject,
      .tls = client.tls,
      .source = source != nullptr ? std::string_view(source->name) : std::string_view(),
      .captures = &captures,
      .event = &event,
      .decode = source != nullptr ? &source->decode : nullptr,
      .received = received,
  };
  if (context_) {
    context_->set_view(view);  // the body may have come since
  } else {
    context_.emplace(view);
  }
  return *context_;
}

void Exchange::answer(int status, wire::Outcome outcome_in, std::string_view reason_in, int retry_after, std::string_view told) {
  outcome = outcome_in;
  reason.assign(reason_in);
  reply.status = status;
  reply.head.assign("Content-Type: application/json\r\n");
  if (retry_after >= 0) fmt::format_to(std::back_inserter(reply.head), "Retry-After: {}\r\n", retry_after);
  reply.body.assign("{\"status\": \"");
  reply.body += wire::to_string(outcome_in);
  reply.body += "\", \"id\": \"";
  char text[MessageId::kTextLength];
  id.write_text(text);
  reply.body.append(text, sizeof text);
  reply.body += '"';
  if (told.empty()) told = reason_in;
  if (!told.empty()) {
    reply.body += ", \"reason\": ";
    append_json_string(reply.body, told);
  }
  reply.body += "}\n";
}

std::vector<wire::Claim> Exchange::claims() const {
  std::vector<wire::Claim> all;
  for (const auto* claim : {&dedupe, &replay}) {
    if (*claim) all.push_back(**claim);
  }
  return all;
}

void Exchange::reset() {
  call.reset();
  claim_hold.release();
  sent_fields.clear();
  dedupe.reset();
  replay.reset();
  place.give_back();
  if (resume_target_) resume_target_->ticket = 0;
  id = {};
  http::Fields fields = std::move(request.fields);  // keeps its room
  fields.clear();
  request = {};
  request.fields = std::move(fields);
  body = {};
  source = nullptr;
  captures.clear();
  path_rest = {};
  for (std::string* text : {&event.type, &event.id, &event.resource, &event.time, &reason, &destination, &reply.head, &reply.body}) {
    empty(*text);
  }
  reply_memory.hold(reply.body.capacity());
  verified = false;
  selected.clear();
  made_memory.hold(0);
  spool_only = false;
  context_.reset();
  reply.status = 0;
  reply.close = false;
  line_kept = false;
  outcome = wire::Outcome::failed;
  backend_us = 0;
  ruleset_ = nullptr;
  parked_ = body_complete_ = finished_ = false;
  step_ = 0;
}

}  // namespace belay::pipeline
