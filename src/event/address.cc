// Addresses of streams and listeners: text to sockaddr and back, and opening what we listen on.
#include "event/address.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "event/stream.h"

namespace belay::event {

std::string SocketAddress::to_string() const {
  if (!unix_path.empty()) return "unix:" + unix_path;
  const std::string host = ip.to_string();
  return (ip.is_v4() ? host : "[" + host + "]") + ":" + std::to_string(port);
}

Result<SocketAddress> parse_address(std::string_view text) {
  SocketAddress address;
  if (text.starts_with("unix:")) {
    address.unix_path = text.substr(5);
    if (address.unix_path.empty()) return invalid("'unix:' names no path; write unix:run/name.sock");
    if (address.unix_path.size() >= sizeof(sockaddr_un::sun_path)) {
      return invalid("unix socket path '" + printable(address.unix_path) + "' is longer than " +
                     std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " bytes; use a shorter folder");
    }
    return address;
  }
  const std::string example = "; write 127.0.0.1:8080, [::1]:8080 or unix:/path";
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return invalid("'" + printable(text) + "' is not an address with a port" + example);
  const auto port = parse_u64(text.substr(colon + 1));
  if (!port || *port > 65535) return invalid("'" + printable(text) + "' has no port from 0 to 65535" + example);
  address.port = static_cast<uint16_t>(*port);
  std::string_view host = text.substr(0, colon);
  if (host == "localhost") host = "127.0.0.1";
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  const auto ip = IpAddress::parse(host);
  // "::1:80" could be read in two ways.
  if (!ip || (!bracketed && host.find(':') != std::string_view::npos)) {
    return invalid("'" + printable(host) + "' is not an IP address" + example);
  }
  address.ip = *ip;
  return address;
}

socklen_t to_sockaddr(const SocketAddress& from, sockaddr_storage& to) {
  std::memset(&to, 0, sizeof to);
  if (!from.unix_path.empty()) {
    auto* address = reinterpret_cast<sockaddr_un*>(&to);
    address->sun_family = AF_UNIX;
    BELAY_CHECK(from.unix_path.size() < sizeof address->sun_path);
    std::memcpy(address->sun_path, from.unix_path.data(), from.unix_path.size());
    return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + from.unix_path.size() + 1);
  }
  if (from.ip.is_v4()) {
    auto* address = reinterpret_cast<sockaddr_in*>(&to);
    address->sin_family = AF_INET;
    address->sin_port = htons(from.port);
    std::memcpy(&address->sin_addr, from.ip.bytes.data() + 12, 4);
    return sizeof(sockaddr_in);
  }
  auto* address = reinterpret_cast<sockaddr_in6*>(&to);
  address->sin6_family = AF_INET6;
  address->sin6_port = htons(from.port);
  std::memcpy(&address->sin6_addr, from.ip.bytes.data(), 16);
  return sizeof(sockaddr_in6);
}

SocketAddress from_sockaddr(const sockaddr_storage& from, socklen_t length) {
  SocketAddress address;
  if (from.ss_family == AF_UNIX) {
    const auto* local = reinterpret_cast<const sockaddr_un*>(&from);
    const size_t room = length > offsetof(sockaddr_un, sun_path) ? length - offsetof(sockaddr_un, sun_path) : 0;
    address.unix_path = std::string(local->sun_path, ::strnlen(local->sun_path, room));
    // A connecting client has no name of its own; the address still must say that it is a unix peer.
    if (address.unix_path.empty()) address.unix_path = "-";
    return address;
  }
  if (const auto ip = IpAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&from))) address.ip = *ip;
  address.port = ntohs(from.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(&from)->sin6_port
                                                  : reinterpret_cast<const sockaddr_in*>(&from)->sin_port);
  return address;
}

SocketAddress local_address(int fd) {
  sockaddr_storage name{};
  socklen_t length = sizeof name;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &length) != 0) return {};
  return from_sockaddr(name, length);
}

namespace {

// What the operator can do about a failed socket(), bind() or listen().
Error listen_error(const std::string& address, int error) {
  std::string hint;
  switch (error) {
    case EACCES:
    case EPERM:
      hint = address.starts_with("unix:") ? "; the folder must be writable for this user"
                                          : "; ports below 1024 need root or CAP_NET_BIND_SERVICE, or choose a higher port";
      break;
    case EADDRINUSE: hint = "; another program listens there: stop it or choose another port"; break;
    case EADDRNOTAVAIL: hint = "; no interface of this machine has that address"; break;
    case ENOENT: hint = "; its folder does not exist"; break;
    case EMFILE:
    case ENFILE: hint = "; raise the limit of open files"; break;
    default: break;
  }
  std::string reason = std::strerror(error);
  reason[0] = ascii_lower(reason[0]);
  return {error == EADDRINUSE ? ErrorKind::unavailable : ErrorKind::io, address + ": " + reason + hint};
}

// Removes a socket file that a dead process left behind. Anything else at that path is left alone and refused.
Result<void> clear_stale_socket(const std::string& address, const SocketAddress& parsed) {
  struct stat status {};
  if (::lstat(parsed.unix_path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode)) {
    return Error{ErrorKind::refused, address + ": a file that is not a socket stands there; remove it or choose another path"};
  }
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return listen_error(address, errno);
  sockaddr_storage to{};
  const socklen_t length = to_sockaddr(parsed, to);
  const int connected = ::connect(probe, reinterpret_cast<const sockaddr*>(&to), length);
  const int error = connected == 0 ? 0 : errno;
  ::close(probe);
  if (error != ECONNREFUSED) {  // EAGAIN: its backlog is full, so somebody lives there
    return Error{ErrorKind::unavailable, address + ": another process answers on this socket; stop it or choose another path"};
  }
  if (::unlink(parsed.unix_path.c_str()) != 0) return listen_error(address, errno);
  return {};
}

}  // namespace

Result<int> open_listener(const std::string& address, std::optional<uint32_t> socket_mode) {
  const auto parsed = parse_address(address);
  if (!parsed) return parsed.error();
  if (!parsed->unix_path.empty()) {
    if (const auto cleared = clear_stale_socket(address, *parsed); !cleared) return cleared.error();
  }
  sockaddr_storage name{};
  const socklen_t length = to_sockaddr(*parsed, name);
  const int fd = ::socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return listen_error(address, errno);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (parsed->unix_path.empty()) ::setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytes, sizeof kUnsentBytes);  // accepted ones inherit it
  if (name.ss_family == AF_INET6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  // The file is made with the mode of its descriptor, less the umask; what that took away comes after, nothing is ever open wider.
  const bool guarded = socket_mode && !parsed->unix_path.empty();
  if (guarded) ::fchmod(fd, *socket_mode);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&name), length) != 0 ||
      (guarded && ::chmod(parsed->unix_path.c_str(), *socket_mode) != 0) || ::listen(fd, kBacklog) != 0) {
    const int error = errno;
    ::close(fd);
    return listen_error(address, error);
  }
  return fd;
}

}  // namespace belay::event
