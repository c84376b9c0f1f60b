// The TLS half of Stream: handshake, records, close_notify, on SSL with the socket underneath.
#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "event/openssl_error.h"
#include "event/stream.h"
#include "event/tls.h"

namespace belay::event {

namespace {

// One TLS record (RFC 8446 §5.1). Small parts are gathered so that a head and its body travel in one record.
constexpr size_t kRecord = 16 << 10;

}  // namespace

void Stream::start_tls(ssl_ctx_st* context, const std::string& verify_name) {
  ssl_ = SSL_new(context);
  BELAY_CHECK_NOTE(ssl_ != nullptr, "SSL_new: out of memory");
  if (fd_ >= 0) BELAY_CHECK(SSL_set_fd(ssl_, fd_) == 1);
  if (verify_name.empty()) return;
  if (IpAddress::parse(verify_name)) {  // an address is verified against the certificate but never sent (RFC 6066 §3)
    BELAY_CHECK(X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), verify_name.c_str()) == 1);
    return;
  }
  SSL_set_hostflags(ssl_, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  BELAY_CHECK(SSL_set1_host(ssl_, verify_name.c_str()) == 1);
  // SSL_set_tlsext_host_name() without the C cast in its macro.
  BELAY_CHECK(SSL_ctrl(ssl_, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(verify_name.c_str())) == 1);
}

void Stream::handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) return opened();
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ: return watch_read(true);
    case SSL_ERROR_WANT_WRITE: return watch_write();
    default: break;
  }
  tls_broken_ = true;
  const long verified = SSL_get_verify_result(ssl_);
  std::string reason = take_openssl_reason("the peer closed the connection");
  if (verified != X509_V_OK && SSL_get_verify_mode(ssl_) != SSL_VERIFY_NONE) reason = std::string("certificate of the peer: ") + X509_verify_cert_error_string(verified);
  fail({ErrorKind::refused, "TLS handshake: " + reason});
}

// What to tell the owner after SSL_read or SSL_write gave `result`.
Io Stream::tls_result(int result) {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ: return {IoState::blocked, 0};
    case SSL_ERROR_WANT_WRITE: watch_write(); return {IoState::blocked, 0};
    case SSL_ERROR_ZERO_RETURN: return {IoState::closed, 0};
    default:
      // Includes the end of the connection without close_notify: what came so far may be cut short.
      tls_broken_ = true;
      ERR_clear_error();
      return {IoState::failed, 0};
  }
}

Io Stream::tls_read(char* into, size_t room) {
  ERR_clear_error();
  const int got = SSL_read(ssl_, into, static_cast<int>(std::min<size_t>(room, 1U << 30)));
  if (got <= 0) return tls_result(got);
  // The kernel does not know about bytes that SSL has taken from it already: come back for them without asking it.
  if (wants_read_ && SSL_has_pending(ssl_) != 0) event_active(read_event_, EV_READ, 0);
  return {IoState::ok, static_cast<size_t>(got)};
}

Io Stream::tls_write(const iovec* parts, int count) {
  ERR_clear_error();
  int first = 0;
  while (first < count && parts[first].iov_len == 0) ++first;
  if (first == count) return {IoState::ok, 0};
  const char* bytes = static_cast<const char*>(parts[first].iov_base);
  size_t length = parts[first].iov_len;
  std::array<char, kRecord> gathered;
  if (length < kRecord && first + 1 < count) {
    length = 0;
    for (int i = first; i < count && length < kRecord; ++i) {
      const size_t take = std::min(parts[i].iov_len, kRecord - length);
      if (take != 0) std::memcpy(gathered.data() + length, parts[i].iov_base, take);
      length += take;
    }
    bytes = gathered.data();
  }
  // A blocked write is repeated with the same bytes first (SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER allows another place).
  const int sent = SSL_write(ssl_, bytes, static_cast<int>(std::min<size_t>(length, 1U << 30)));
  if (sent <= 0) return tls_result(sent);
  return {IoState::ok, static_cast<size_t>(sent)};
}

std::string Stream::tls_version() const { return ssl_ != nullptr ? SSL_get_version(ssl_) : ""; }

bool Stream::may_carry(const ServerTls& tls, std::string_view host) const {
  return ssl_ == nullptr || tls.covers(SSL_get_SSL_CTX(ssl_), host);
}

std::optional<std::string> Stream::peer_subject() const {
  if (ssl_ == nullptr || SSL_get_verify_result(ssl_) != X509_V_OK) return std::nullopt;
  X509* certificate = SSL_get0_peer_certificate(ssl_);
  if (certificate == nullptr) return std::nullopt;
  BIO* text = BIO_new(BIO_s_mem());
  BELAY_CHECK(text != nullptr);
  // UTF-8 stays readable instead of being escaped byte by byte.
  X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  char* start = nullptr;
  const long length = BIO_get_mem_data(text, &start);
  std::string subject(start, static_cast<size_t>(length));
  BIO_free(text);
  return subject;
}

}  // namespace belay::event
