#include "spool/stop.h"

#include "wire/codec.h"

namespace belay::spool {

namespace {

void append_mark(std::string& out, const StopMark& mark) {
  wire::put_u8(out, mark.on ? 1 : 0);
  wire::put_text16(out, mark.by, Stop::kWhyBytes);
  wire::put_text16(out, mark.why, Stop::kWhyBytes);
  put_be64(out, static_cast<uint64_t>(to_ms(mark.since)));
}

StopMark read_mark(wire::Reader& in) {
  StopMark mark;
  mark.on = in.boolean();
  mark.by = in.text16();
  mark.why = in.text16();
  mark.since = wall_from_ms(in.i64());
  return mark;
}

}  // namespace

std::string_view to_string(StopKind kind) { return kind == StopKind::paused ? "paused" : "disabled"; }

bool apply(const StopOrder& order, Stop& to) {
  StopMark& mark = order.kind == StopKind::paused ? to.paused : to.disabled;
  to.destination = order.destination;
  to.name = order.name;
  if (mark.on == order.on) return false;
  if (order.on) mark = {true, order.by, order.why.substr(0, Stop::kWhyBytes), order.at};
  else mark = {};
  return true;
}

void append_sealed(std::string& out, const Stop& stop) {
  std::string payload;
  wire::put_text16(payload, stop.name);
  append_mark(payload, stop.paused);
  append_mark(payload, stop.disabled);
  append_sealed(out, std::string_view(payload));
}

Result<Stop> read_stop(DestinationId destination, std::string_view stored) {
  auto payload = unseal(stored);
  if (!payload) return payload.error();
  wire::Reader in(*payload);
  Stop stop;
  stop.destination = destination;
  stop.name = in.text16();
  stop.paused = read_mark(in);
  stop.disabled = read_mark(in);
  if (!in.finished()) return Error{ErrorKind::corrupt, "a stop of a destination does not fit its form"};
  return stop;
}

}  // namespace belay::spool
