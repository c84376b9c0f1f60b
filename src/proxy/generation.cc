#include "proxy/generation.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "event/stream.h"

namespace belay::proxy {

namespace {

constexpr std::string_view kUnix = "unix:";

std::unique_ptr<event::ServerTls> load_tls(const conf::Listen& listen, conf::Problems& problems) {
  std::vector<event::CertificateFiles> pairs;
  for (const conf::TlsListen& pair : listen.tls) pairs.push_back({pair.certificate, pair.key, pair.name, pair.client_ca});
  auto tls = event::ServerTls::create(pairs);
  if (tls) return std::move(*tls);
  problems.add(listen.position, tls.error().message);
  return nullptr;
}

bool uses(const Generation& generation, int fd) {
  return std::any_of(generation.doors.begin(), generation.doors.end(), [fd](const Generation::Door& door) { return door.fd == fd; });
}

}  // namespace

Sockets::~Sockets() {
  for (const auto& [address, fd] : open_) close_one(address, fd);
}

void Sockets::close_one(const std::string& address, int fd) {
  ::close(fd);
  if (address.starts_with(kUnix)) ::unlink(address.c_str() + kUnix.size());
}

Result<int> Sockets::get(const std::string& address) {
  if (const auto found = open_.find(address); found != open_.end()) return found->second;
  if (address.starts_with(kUnix)) {
    std::error_code ignored;  // opening the socket says what is wrong
    std::filesystem::create_directories(std::filesystem::path(address.substr(kUnix.size())).parent_path(), ignored);
  }
  auto fd = event::open_listener(address);
  if (fd) open_.emplace(address, *fd);
  return fd;
}

void Sockets::close_others(const std::vector<const Generation*>& keep) {
  for (auto at = open_.begin(); at != open_.end();) {
    const bool used = std::any_of(keep.begin(), keep.end(), [&](const Generation* generation) { return uses(*generation, at->second); });
    if (used) {
      ++at;
      continue;
    }
    close_one(at->first, at->second);
    at = open_.erase(at);
  }
}

void Sockets::leave_others(const Generation& own) {
  for (const auto& [address, fd] : open_) {
    if (!uses(own, fd)) ::close(fd);
  }
}

std::unique_ptr<Generation> build_generation(const conf::LoadOptions& load, std::span<const pipeline::Module> modules,
                                             conf::Problems& problems) {
  auto generation = std::make_unique<Generation>();
  generation->configuration = conf::load(load, problems);
  if (!generation->configuration) return nullptr;
  const conf::ProxySettings& proxy = generation->configuration->proxy;
  generation->ruleset = pipeline::build_ruleset(generation->configuration, modules, problems);
  auto trusted = TrustedProxies::parse(proxy.trusted_proxies);
  if (trusted) {
    generation->trusted = std::move(*trusted);
  } else {
    problems.add({generation->configuration->main_file}, trusted.error().message);
  }
  for (const conf::Listen& listen : proxy.listen) {
    Generation::Door door;
    if (!listen.tls.empty()) door.tls = load_tls(listen, problems);
    door.entrance = {door.tls.get(), listen.proxy_protocol};
    generation->doors.push_back(std::move(door));
  }
  return problems.empty() ? std::move(generation) : nullptr;
}

int open_door(Sockets& sockets, const conf::Listen& listen, conf::Problems& problems) {
  const auto fd = sockets.get(listen.address);
  if (fd) return *fd;
  problems.add(listen.position, "cannot listen on " + listen.address + ": " + fd.error().message);
  return -1;
}

bool open_doors(Generation& generation, Sockets& sockets, conf::Problems& problems) {
  const std::vector<conf::Listen>& listens = generation.configuration->proxy.listen;
  for (size_t i = 0; i < listens.size(); ++i) generation.doors[i].fd = open_door(sockets, listens[i], problems);
  return problems.empty();
}

std::string door_name(const conf::Listen& listen, int fd) {
  if (listen.address.starts_with(kUnix)) return listen.address;
  return (listen.tls.empty() ? "http://" : "https://") + event::local_address(fd).to_string();
}

}  // namespace belay::proxy
