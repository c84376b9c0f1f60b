// Random values for the codec tests: every field set, sizes from nothing to large.
#pragma once

#include <string>

#include "base/random.h"
#include "wire/messages.h"

namespace belay::wire::test {

inline size_t below(Random& random, size_t limit) { return static_cast<size_t>(random.next() % limit); }

inline std::string bytes(Random& random, size_t max) {
  std::string text(below(random, max + 1), '\0');
  for (char& c : text) c = static_cast<char>(random.next());
  return text;
}

inline MessageId id(Random& random) {
  MessageId made;
  for (uint8_t& byte : made.bytes) byte = static_cast<uint8_t>(random.next());
  return made;
}

inline Event event(Random& random) {
  Event made;
  made.id = id(random);
  made.received = wall_from_ms(static_cast<int64_t>(random.next() % 4'000'000'000'000));
  made.outcome = static_cast<Outcome>(1 + below(random, 6));
  made.status = static_cast<uint16_t>(random.next());
  for (std::string* text : {&made.source, &made.destination, &made.reason, &made.type, &made.event_id, &made.resource,
                            &made.client, &made.method, &made.path}) {
    *text = bytes(random, 40);
  }
  made.body_bytes = static_cast<uint32_t>(random.next());
  made.duration_us = static_cast<uint32_t>(random.next());
  made.backend_us = static_cast<uint32_t>(random.next());
  made.trust = static_cast<Trust>(below(random, 5));
  return made;
}

inline StoredRequest request(Random& random, size_t max_body) {
  StoredRequest made;
  made.method = bytes(random, 8);
  made.target = bytes(random, 200);
  made.path_rest = bytes(random, 60);
  for (size_t i = below(random, 12); i > 0; --i) {
    const std::string name = bytes(random, 20);
    made.fields.emplace_back(name, bytes(random, 100));
  }
  made.path = bytes(random, 20);
  made.forwarded_for = bytes(random, 30);
  made.tls = below(random, 2) == 1;
  made.has_body = below(random, 2) == 1;
  made.received_body = below(random, 2) == 1;
  made.body = bytes(random, max_body);
  return made;
}

inline std::vector<Claim> claims(Random& random) {
  std::vector<Claim> made(below(random, kMaxClaims + 1));
  for (Claim& claim : made) {
    for (uint8_t& byte : claim.key) byte = static_cast<uint8_t>(random.next());
    claim.window_ms = static_cast<int64_t>(random.next() >> 1);
  }
  return made;
}

inline Grouping grouping(Random& random) {
  Grouping made;
  made.kind = static_cast<GroupKind>(below(random, 6));
  if (made.kind == GroupKind::none) return made;
  for (uint8_t& byte : made.key) byte = static_cast<uint8_t>(random.next());
  made.wait_ms = static_cast<int64_t>(random.next());
  made.at_most_ms = static_cast<int64_t>(random.next());
  made.max = static_cast<uint32_t>(random.next());
  made.bytes = static_cast<uint32_t>(random.next());
  return made;
}

inline Put put(Random& random, size_t max_body = 2000) {
  Put made;
  made.event = event(random);
  made.request = request(random, max_body);
  for (size_t i = below(random, 3); i > 0; --i) made.shapes.push_back(request(random, max_body));
  for (size_t i = 1 + below(random, 4); i > 0; --i) {
    made.deliveries.push_back({bytes(random, 30), static_cast<uint16_t>(random.next()),
                               static_cast<uint16_t>(below(random, made.shapes.size() + 1)), bytes(random, 10), grouping(random),
                               static_cast<int64_t>(random.next()), static_cast<int64_t>(random.next())});
  }
  made.claims = claims(random);
  made.first_attempt_failed = below(random, 2) == 1;
  made.attempt_status = static_cast<uint16_t>(random.next());
  made.attempt_error = bytes(random, 80);
  made.delay_ms = static_cast<int64_t>(random.next() >> 20);
  return made;
}

}  // namespace belay::wire::test
