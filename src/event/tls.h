// TLS contexts: TLS 1.2 and later (RFC 8446, RFC 5246 with AEAD suites), server side with SNI certificates, client side with
// verification on. Built when rules load, immutable, shared by all streams of a process; a reload builds new ones.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct ssl_st;
struct ssl_ctx_st;

namespace belay::event {

struct CertificateFiles {
  std::string certificate, key, name, client_ca;
};

class ServerTls {
 public:
  // The first pair answers clients without a known SNI name. Errors name the file and what is wrong with it (unreadable, key
  // does not match, expired is only a warning in the log).
  static Result<std::unique_ptr<ServerTls>> create(const std::vector<CertificateFiles>& pairs);
  ~ServerTls();
  ssl_ctx_st* context() const { return contexts_.front(); }
  // Whether a connection that was opened under `chosen` may carry requests for `host` (in any spelling): not when the
  // pair for that name verifies clients by another authority, or one of the two by none.
  bool covers(const ssl_ctx_st* chosen, std::string_view host) const;

 private:
  ServerTls() = default;
  ssl_ctx_st* find(std::string_view host) const;  // null: no pair is for this name
  size_t place_of(const ssl_ctx_st* context) const;
  static int choose(ssl_st* ssl, int* alert, void* self);
  std::vector<ssl_ctx_st*> contexts_;
  std::vector<std::string> client_cas_;  // of each context
  bool one_authority_ = true;            // client_cas_ are all the same
  std::vector<std::pair<std::string, ssl_ctx_st*>> names_;  // host_key(), "*.example.com" for wildcards
};

struct ClientTlsFiles {
  std::string ca;           // PEM; empty: the system's
  std::string certificate;  // client certificate, optional
  std::string key;
  bool verify = true;       // false is said aloud when rules load
};

class ClientTls {
 public:
  static Result<std::unique_ptr<ClientTls>> create(const ClientTlsFiles& files);
  ~ClientTls();
  ssl_ctx_st* context() const { return context_; }

 private:
  ClientTls() = default;
  ssl_ctx_st* context_ = nullptr;
};

}  // namespace belay::event
