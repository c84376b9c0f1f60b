#include "spool/act.h"

#include "spool/record.h"
#include "wire/codec.h"

namespace belay::spool {

void append_sealed(std::string& out, const Act& act) {
  std::string payload(act.id.view());
  for (const std::string* text : {&act.who, &act.action, &act.target, &act.outcome}) wire::put_text16(payload, *text, Act::kTextBytes);
  for (const uint64_t count : {act.messages, act.deliveries, act.left_out}) put_be64(payload, count);
  append_sealed(out, std::string_view(payload));
}

Result<Act> read_act(std::string_view stored) {
  auto payload = unseal(stored);
  if (!payload) return payload.error();
  wire::Reader in(*payload);
  Act act;
  act.id = in.id();
  for (std::string* text : {&act.who, &act.action, &act.target, &act.outcome}) *text = in.text16();
  for (uint64_t* count : {&act.messages, &act.deliveries, &act.left_out}) *count = in.u64();
  if (!in.finished()) return Error{ErrorKind::corrupt, "an entry of the audit log does not fit its form"};
  return act;
}

}  // namespace belay::spool
