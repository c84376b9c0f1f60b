// Tells the service manager that started us how we are (systemd, Type=notify): one datagram to the socket that $NOTIFY_SOCKET names,
// as sd_notify(3) describes it. Nothing happens without that variable, or when nobody listens there.
#pragma once

#include <string_view>

namespace belay {

// Lines such as "READY=1\nSTATUS=4 workers".
void tell_service_manager(std::string_view lines);

}  // namespace belay
