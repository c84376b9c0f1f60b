// SocketAddress to and from the kernel's form; for src/event and whoever accepts on a descriptor of its own, everybody
// else uses stream.h. Pure.
#pragma once

#include <sys/socket.h>

#include "event/stream.h"

namespace belay::event {

// Fills `to`, returns its length for bind() and connect(). A unix path must fit (parse_address checks it).
socklen_t to_sockaddr(const SocketAddress& from, sockaddr_storage& to);
SocketAddress from_sockaddr(const sockaddr_storage& from, socklen_t length);

}  // namespace belay::event
