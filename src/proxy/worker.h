// A worker process: accepts on the shared sockets, carries exchanges through the pipeline, tells the spool its counters.
// Runs until it is told to stop. SIGTERM: stops accepting (what waits in the kernel's queue is taken first), finishes what is
// under way within limits.stop_timeout, waits for the spool to take the last lines of the books, ends. SIGQUIT: ends at once.
// A worker trusts nothing but its Generation; when it crashes, only its own requests are lost.
#pragma once

#include "pipeline/shared_memory.h"
#include "proxy/generation.h"

namespace belay::proxy {

struct WorkerPlace {
  pipeline::SharedMemory& shared;
  size_t slot = 0;      // in shared.workers
  int ready_fd = -1;    // gets the pid (4 bytes, host order) once the worker accepts
};

// The exit code of the process.
int run_worker(const Generation& generation, const WorkerPlace& place);

}  // namespace belay::proxy
