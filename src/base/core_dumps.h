// Whether this process may leave a core dump, and whether other processes of its user may attach to it: memory holds the secrets
// of every source and destination, and webhooks. `belay` forbids both before it reads anything; log.core_dumps allows them, to find
// the cause of a crash. Process-wide; inherited over fork, not over exec.
#pragma once

namespace belay {

void set_core_dumps(bool allowed);

}  // namespace belay
