// Webhooks as the spool would hold them, for the tests of the admin API.
#pragma once

#include <string>

#include "spool/operations.h"

namespace belay::test {

constexpr const char* kId = "0199a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b";

inline wire::Event sample_event() {
  wire::Event event;
  event.id = *MessageId::parse(kId);
  event.received = wall_from_ms(1'760'000'000'123);
  event.outcome = wire::Outcome::spooled;
  event.status = 202;
  event.source = "acumatica";
  event.destination = "crm";
  event.type = "Customer.Updated";
  event.resource = "CUST-1";
  event.client = "10.0.0.5";
  event.method = "POST";
  event.path = "/webhooks/acumatica";
  event.body_bytes = 474;
  event.duration_us = 1200;
  return event;
}

inline spool::Delivery sample_delivery(spool::DeliveryState state = spool::DeliveryState::dead) {
  spool::Delivery delivery;
  delivery.message = *MessageId::parse(kId);
  delivery.destination_name = "crm";
  delivery.state = state;
  delivery.due = wall_from_ms(1'760'000'060'000);
  delivery.attempts = 2;
  delivery.history.push_back({.at = wall_from_ms(1'760'000'000'200), .duration_ms = 12, .status = 503, .answer = "busy"});
  delivery.history.push_back({.at = wall_from_ms(1'760'000'001'200), .duration_ms = 3, .error = "refused: 127.0.0.1:8081"});
  delivery.reason = state == spool::DeliveryState::dead ? "no attempts left" : "";
  return delivery;
}

inline spool::MessageDetail sample_message() {
  spool::MessageDetail detail;
  detail.message.event = sample_event();
  detail.message.request.method = "POST";
  detail.message.request.target = "/webhooks/acumatica?tenant=7";
  detail.message.request.fields = {{"Host", "hooks.example.com"}, {"X-Acumatica-Event", "Customer.Updated"}};
  detail.message.request.body = R"({"eventType": "Customer.Updated"})";
  detail.message.request.has_body = true;
  detail.deliveries = {sample_delivery()};
  return detail;
}

}  // namespace belay::test
