// Certificates made while a test runs: an authority, and leaves signed by it, as PEM files in a folder that goes away with
// the object. EC keys, so that making them is quick.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/check.h"

namespace belay::test {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "belay-test-XXXXXX").string();
    BELAY_CHECK(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

class Certificates {
 public:
  Certificates() {
    authority_key_ = EVP_EC_gen("P-256");
    authority_ = make("Test Authority", {}, authority_key_, nullptr);
    write(ca(), authority_, nullptr);
  }
  ~Certificates() {
    X509_free(authority_);
    EVP_PKEY_free(authority_key_);
  }
  Certificates(const Certificates&) = delete;
  Certificates& operator=(const Certificates&) = delete;

  std::string ca() const { return folder_.file("ca.pem"); }
  std::string certificate(const std::string& name) const { return folder_.file(name + ".pem"); }
  std::string key(const std::string& name) const { return folder_.file(name + ".key"); }

  // `names` as in subjectAltName: "DNS:a.test,IP:127.0.0.1". A negative `days` makes an expired one.
  void issue(const std::string& name, const std::string& names, int days = 1) {
    EVP_PKEY* key_pair = EVP_EC_gen("P-256");
    X509* leaf = make(name, names, key_pair, authority_, days);
    write(certificate(name), leaf, nullptr);
    write(key(name), nullptr, key_pair);
    X509_free(leaf);
    EVP_PKEY_free(key_pair);
  }

 private:
  X509* make(const std::string& common_name, const std::string& names, EVP_PKEY* key_pair, X509* issuer, int days = 1) {
    X509* made = X509_new();
    X509_set_version(made, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made), ++serial_);
    X509_gmtime_adj(X509_getm_notBefore(made), -3L * 86'400);
    X509_gmtime_adj(X509_getm_notAfter(made), days * 86'400L);
    X509_set_pubkey(made, key_pair);
    X509_NAME* subject = X509_get_subject_name(made);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
    X509_set_issuer_name(made, issuer != nullptr ? X509_get_subject_name(issuer) : subject);
    extend(made, NID_basic_constraints, issuer != nullptr ? "CA:FALSE" : "critical,CA:TRUE");
    if (!names.empty()) extend(made, NID_subject_alt_name, names);
    BELAY_CHECK(X509_sign(made, issuer != nullptr ? authority_key_ : key_pair, EVP_sha256()) > 0);
    return made;
  }
  static void extend(X509* to, int id, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, id, value.c_str());
    BELAY_CHECK(extension != nullptr && X509_add_ext(to, extension, -1) == 1);
    X509_EXTENSION_free(extension);
  }
  static void write(const std::string& path, X509* certificate, EVP_PKEY* key_pair) {
    std::FILE* file = std::fopen(path.c_str(), "w");
    BELAY_CHECK(file != nullptr);
    if (certificate != nullptr) PEM_write_X509(file, certificate);
    if (key_pair != nullptr) PEM_write_PrivateKey(file, key_pair, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
  }

  TemporaryFolder folder_;
  EVP_PKEY* authority_key_ = nullptr;
  X509* authority_ = nullptr;
  long serial_ = 0;
};

}  // namespace belay::test
