#include "event/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "base/host.h"
#include "base/log.h"
#include "event/openssl_error.h"

namespace belay::event {

namespace {

constexpr unsigned char kAlpn[] = "\x08http/1.1";
constexpr unsigned kAlpnLength = sizeof kAlpn - 1;
// TLS 1.2 suites: ephemeral keys and AEAD only (RFC 9325 §4.2). TLS 1.3 has no others.
constexpr const char* kSuites = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!PSK:!SRP";

// OpenSSL would ask on the terminal for the password of an encrypted key.
int no_password(char*, int, int, void*) { return -1; }

ssl_ctx_st* new_context(const SSL_METHOD* method) {
  SSL_CTX* context = SSL_CTX_new(method);
  BELAY_CHECK_NOTE(context != nullptr, "SSL_CTX_new: out of memory");
  BELAY_CHECK(SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1);
  BELAY_CHECK(SSL_CTX_set_cipher_list(context, kSuites) == 1);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Idle connections give their 34 KB of record buffers back; read-ahead makes one recv() of a record's two.
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_passwd_cb(context, &no_password);
  return context;
}

// Says first what the operating system thinks of the file: OpenSSL's own words for that are hard to read.
Result<void> readable(const std::string& path) {
  const auto bytes = read_file(path, size_t{4} << 20);
  if (!bytes) return bytes.error();
  return {};
}

Result<void> load_pair(ssl_ctx_st* context, const std::string& certificate, const std::string& key) {
  if (const auto found = readable(certificate); !found) return found.error();
  if (const auto found = readable(key); !found) return found.error();
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1) {
    return invalid(certificate + ": not a PEM certificate chain (" + take_openssl_reason("unreadable") + ")");
  }
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) {
    const unsigned long error = ERR_peek_error();
    if (ERR_GET_LIB(error) == ERR_LIB_X509 && ERR_GET_REASON(error) == X509_R_KEY_VALUES_MISMATCH) {
      ERR_clear_error();
      return invalid(key + ": the key does not match the certificate " + certificate);
    }
    return invalid(key + ": not a PEM private key without a password (" + take_openssl_reason("unreadable") + ")");
  }
  if (SSL_CTX_check_private_key(context) != 1) {
    ERR_clear_error();
    return invalid(key + ": the key does not match the certificate " + certificate);
  }
  const X509* leaf = SSL_CTX_get0_certificate(context);
  if (X509_cmp_current_time(X509_get0_notAfter(leaf)) < 0) log::warn("{}: the certificate has expired", certificate);
  return {};
}

// DNS names of the certificate's subjectAltName, by their keys.
std::vector<std::string> names_of(const X509* certificate) {
  std::vector<std::string> names;
  auto* list = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; list != nullptr && i < sk_GENERAL_NAME_num(list); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(list, i);
    if (name->type != GEN_DNS) continue;
    const ASN1_IA5STRING* text = name->d.dNSName;
    names.push_back(host_key(std::string_view(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                                              static_cast<size_t>(ASN1_STRING_length(text)))));
  }
  GENERAL_NAMES_free(list);
  return names;
}

int choose_alpn(SSL*, const unsigned char** chosen, unsigned char* length, const unsigned char* offered, unsigned offered_length,
                void*) {
  unsigned char* match = nullptr;
  if (SSL_select_next_proto(&match, length, kAlpn, kAlpnLength, offered, offered_length) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;  // a peer that speaks h2 alone would only send bytes we must refuse
  }
  *chosen = match;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

std::string take_openssl_reason(const std::string& otherwise) {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  if (error == 0) return otherwise;
  if (ERR_SYSTEM_ERROR(error)) return std::strerror(ERR_GET_REASON(error));
  const char* reason = ERR_reason_error_string(error);
  return reason != nullptr ? reason : otherwise;
}

Result<std::unique_ptr<ServerTls>> ServerTls::create(const std::vector<CertificateFiles>& pairs) {
  BELAY_CHECK_NOTE(!pairs.empty(), "a TLS listener without certificates");
  std::unique_ptr<ServerTls> tls(new ServerTls);
  const bool asks_for_clients = std::any_of(pairs.begin(), pairs.end(), [](const auto& pair) { return !pair.client_ca.empty(); });
  for (const CertificateFiles& pair : pairs) {
    SSL_CTX* context = new_context(TLS_server_method());
    tls->contexts_.push_back(context);
    tls->client_cas_.push_back(pair.client_ca);
    tls->one_authority_ = tls->one_authority_ && pair.client_ca == pairs.front().client_ca;
    if (const auto loaded = load_pair(context, pair.certificate, pair.key); !loaded) return loaded.error();
    SSL_CTX_set_alpn_select_cb(context, &choose_alpn, nullptr);
    if (!pair.client_ca.empty()) {
      if (const auto found = readable(pair.client_ca); !found) return found.error();
      STACK_OF(X509_NAME)* accepted = SSL_load_client_CA_file(pair.client_ca.c_str());
      if (accepted == nullptr || SSL_CTX_load_verify_file(context, pair.client_ca.c_str()) != 1) {
        sk_X509_NAME_pop_free(accepted, X509_NAME_free);
        return invalid(pair.client_ca + ": no PEM certificates of an authority (" + take_openssl_reason("unreadable") + ")");
      }
      SSL_CTX_set_client_CA_list(context, accepted);  // takes ownership
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    }
    if (asks_for_clients) {
      // A session resumed under another name's context would carry a client identity that context never verified.
      SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
      SSL_CTX_set_num_tickets(context, 0);
      SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    }
    if (!pair.name.empty()) {
      tls->names_.emplace_back(host_key(pair.name), context);
    } else {
      for (std::string& name : names_of(SSL_CTX_get0_certificate(context))) tls->names_.emplace_back(std::move(name), context);
    }
  }
  // SSL_CTX_set_tlsext_servername_callback() without the C cast in its macro.
  SSL_CTX_callback_ctrl(tls->contexts_.front(), SSL_CTRL_SET_TLSEXT_SERVERNAME_CB, reinterpret_cast<void (*)()>(&ServerTls::choose));
  SSL_CTX_set_tlsext_servername_arg(tls->contexts_.front(), tls.get());
  return tls;
}

ServerTls::~ServerTls() {
  for (SSL_CTX* context : contexts_) SSL_CTX_free(context);
}

ssl_ctx_st* ServerTls::find(std::string_view asked) const {
  const std::string name = host_key(asked);
  const size_t dot = name.find('.');
  const std::string wildcard = dot == std::string::npos ? std::string() : "*" + name.substr(dot);
  ssl_ctx_st* found = nullptr;
  for (const auto& [known, context] : names_) {
    if (known == name) return context;
    if (found == nullptr && !wildcard.empty() && known == wildcard) found = context;
  }
  return found;
}

size_t ServerTls::place_of(const ssl_ctx_st* context) const {
  return static_cast<size_t>(std::find(contexts_.begin(), contexts_.end(), context) - contexts_.begin());
}

bool ServerTls::covers(const ssl_ctx_st* chosen, std::string_view host) const {
  if (one_authority_) return true;
  const ssl_ctx_st* const of_host = find(host);
  return client_cas_[place_of(chosen)] == client_cas_[of_host != nullptr ? place_of(of_host) : 0];
}

int ServerTls::choose(ssl_st* ssl, int*, void* self_pointer) {
  const auto* self = static_cast<const ServerTls*>(self_pointer);
  const char* asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (asked == nullptr) return SSL_TLSEXT_ERR_NOACK;
  ssl_ctx_st* const chosen = self->find(asked);
  if (chosen == nullptr || chosen == self->contexts_.front()) return SSL_TLSEXT_ERR_OK;
  SSL_set_SSL_CTX(ssl, chosen);
  // SSL_set_SSL_CTX takes over certificates only; whether a client certificate is asked for belongs to the name as well.
  SSL_set_verify(ssl, SSL_CTX_get_verify_mode(chosen), nullptr);
  return SSL_TLSEXT_ERR_OK;
}

Result<std::unique_ptr<ClientTls>> ClientTls::create(const ClientTlsFiles& files) {
  std::unique_ptr<ClientTls> tls(new ClientTls);
  SSL_CTX* context = new_context(TLS_client_method());
  tls->context_ = context;
  SSL_CTX_set_verify(context, files.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (files.ca.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) != 1) return io_error("the system's certificate store: " + take_openssl_reason("unreadable"));
  } else {
    if (const auto found = readable(files.ca); !found) return found.error();
    if (SSL_CTX_load_verify_file(context, files.ca.c_str()) != 1) {
      return invalid(files.ca + ": no PEM certificates of an authority (" + take_openssl_reason("unreadable") + ")");
    }
  }
  if (!files.certificate.empty()) {
    if (const auto loaded = load_pair(context, files.certificate, files.key.empty() ? files.certificate : files.key); !loaded) {
      return loaded.error();
    }
  }
  BELAY_CHECK(SSL_CTX_set_alpn_protos(context, kAlpn, kAlpnLength) == 0);
  return tls;
}

ClientTls::~ClientTls() { SSL_CTX_free(context_); }

}  // namespace belay::event
