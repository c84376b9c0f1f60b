// The proxy's master process: opens the listening sockets, builds the rules, forks workers and looks after them. It reads no
// byte from any sender. One thread, no event loop: it waits for signals and for workers to say that they are ready.
//
//   SIGHUP            new rules: wrong ones are logged, a line a problem, and nothing changes; right ones get new workers, and
//                     only when all of these accept do the old ones drain. No connection is refused in between. Until then the
//                     old ones are replaced when they die. The next SIGHUP waits for a reload that is under way, but takes
//                     its place once a new worker has died or kReloadPatience has passed; new workers that do not all accept
//                     within kReloadLimit are given up, and the old ones stay.
//   SIGTERM, SIGINT   workers drain within limits.stop_timeout, then everything ends
//   SIGQUIT           everything ends at once
//   a worker dies     it is replaced, at once after a life of kStable, else after a wait that doubles up to kBackOffMax; what
//                     it held of the shared caps is taken back
//   a worker hangs    told to stop, it is killed when limits.stop_timeout and kStopMargin have passed
#pragma once

#include <span>

#include "conf/configuration.h"
#include "pipeline/module.h"

namespace belay::proxy {

inline constexpr Duration kStable{5'000};
inline constexpr Duration kBackOff{100};
inline constexpr Duration kBackOffMax{5'000};
inline constexpr Duration kReloadPatience{3'000};
inline constexpr Duration kReloadLimit{10'000};
inline constexpr Duration kStopMargin{5'000};  // beyond stop_timeout, then workers are killed

// Runs until it is told to stop; the process's exit code. Problems of the first configuration go to stderr, exit code 1.
int run_master(const conf::LoadOptions& load, std::span<const pipeline::Module> modules);

}  // namespace belay::proxy
