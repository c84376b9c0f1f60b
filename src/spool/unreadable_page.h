// LMDB maps its file: a page that the disk cannot read, or that the file has lost since it was opened, is no call that fails but
// SIGBUS in whichever thread touches it. With this the spool ends as after any other storage error (P10): one line in the log
// and the exit code `io` where the disk did not give the page, `damaged` where the file ends before it. SIGBUS from anywhere
// else ends the process as it always did. Process-wide, once, after log::init().
#pragma once

namespace belay::spool {

void end_at_unreadable_pages(int io, int damaged);

}  // namespace belay::spool
