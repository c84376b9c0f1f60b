// BELAY_CHECK: assertions about our own code, on in every build. Never used on input, peers or the environment: those return a
// Result. A failed check prints one line (file:line, condition, note) to stderr and aborts the process; the supervisor
// restarts it and the spool's commits make that harmless. Any thread.
// RULE: named BELAY_CHECK, not CHECK, because doctest owns that name in every test file.
#pragma once

namespace belay {

[[noreturn]] void check_failed(const char* file, int line, const char* condition, const char* note);

}  // namespace belay

#define BELAY_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::belay::check_failed(__FILE__, __LINE__, #condition, ""))
#define BELAY_CHECK_NOTE(condition, note) \
  ((condition) ? static_cast<void>(0) : ::belay::check_failed(__FILE__, __LINE__, #condition, note))
