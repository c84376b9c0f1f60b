// TLS at Belay itself: SNI certificates, reload of certificates, no old versions; and TLS to a backend that is verified.
#include <doctest/doctest.h>

#include <string>

#include "support/backend.h"
#include "support/gateway.h"

using namespace belay::test;

namespace {

void make_certificate(const TempFolder& folder, const std::string& name, const std::string& host, const std::string& common_name) {
  REQUIRE_EQ(run({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / (name + ".key"), "-out", folder / (name + ".pem"), "-days", "2",
                  "-subj", "/CN=" + common_name, "-addext", "subjectAltName=DNS:" + host}).code, 0);
}

}  // namespace

TEST_CASE("a_tls_listener_chooses_the_certificate_by_sni_refuses_tls_1_1_and_rereads_certificates_on_reload") {
  const TempFolder folder;
  Backend backend(folder);
  make_certificate(folder, "one", "one.example.test", "one");
  make_certificate(folder, "two", "two.example.test", "two");
  const int port = free_port();
  const std::string at = "127.0.0.1:" + std::to_string(port);
  Gateway gateway(folder, {.rules = "sources:\n  all: { match: { path: \"/*\" }, trust: open, routes: [{ to: backend }] }\ndestinations:\n  backend: { url: \"http://" + backend.address() + "\" }\n",
                           .listen = "    - { address: \"" + at + "\", tls: [ { certificate: one.pem, key: one.key }, { certificate: two.pem, key: two.key } ] }\n"});
  const auto subject = [&](const std::string& host) {
    return run({"sh", "-c", "openssl s_client -connect " + at + " -servername " + host + " </dev/null 2>/dev/null | openssl x509 -noout -subject"}).out;
  };
  CHECK_NE(subject("one.example.test").find("one"), std::string::npos);
  CHECK_NE(subject("two.example.test").find("two"), std::string::npos);
  const auto post = [&] {
    return run({"curl", "-s", "--cacert", folder / "two.pem", "--resolve", "two.example.test:" + std::to_string(port) + ":127.0.0.1", "-w", "%{http_code}",
                "-d", "{}", "https://two.example.test:" + std::to_string(port) + "/x"}).out;
  };
  CHECK_EQ(post(), "{\"ok\":true}200");
  CHECK_NE(run({"curl", "-sk", "--tls-max", "1.1", "--tlsv1.0", "-d", "{}", "https://" + at + "/x"}).code, 0);
  make_certificate(folder, "one", "one.example.test", "renewed");
  gateway.reload();
  CHECK(wait_for([&] { return subject("one.example.test").find("renewed") != std::string::npos; }));
}

TEST_CASE("a_big_body_over_tls_arrives_byte_exact") {
  const TempFolder folder;
  Backend backend(folder);
  make_certificate(folder, "one", "one.example.test", "one");
  const int port = free_port();
  Gateway gateway(folder, {.rules = "sources:\n  all: { match: { path: \"/*\" }, trust: open, routes: [{ to: backend }] }\ndestinations:\n  backend: { url: \"http://" + backend.address() + "\" }\n",
                           .listen = "    - { address: \"127.0.0.1:" + std::to_string(port) + "\", tls: { certificate: one.pem, key: one.key } }\n"});
  std::string body(5 << 20, 'y');
  for (size_t i = 0; i < body.size(); i += 1021) body[i] = static_cast<char>(i * 31);
  folder.write("body", body);
  CHECK_EQ(run({"curl", "-sk", "-o", folder / "answer", "-w", "%{http_code}", "--data-binary", "@" + (folder / "body"), "https://127.0.0.1:" + std::to_string(port) + "/x"}).out, "200");
  CHECK_EQ(backend.seen().at(0).sha256, sha256_hex(body));
}

TEST_CASE("a_client_certificate_counts_for_the_host_whose_authority_verified_it") {
  const TempFolder folder;
  Backend backend(folder);
  make_certificate(folder, "one", "one.example.test", "one");
  make_certificate(folder, "two", "two.example.test", "two");
  // Two authorities, each its own client, that both call themselves erp.
  make_certificate(folder, "client-one", "erp.example.test", "erp");
  make_certificate(folder, "client-two", "erp.example.test", "erp");
  const std::string port = std::to_string(free_port());
  Gateway gateway(folder, {.rules = "sources:\n  two: { match: { path: /in, host: two.example.test }, auth: { tls: { subject: CN=erp } }, routes: [{ to: backend }] }\n"
                                    "destinations:\n  backend: { url: \"http://" + backend.address() + "\" }\n",
                           .listen = "    - { address: \"127.0.0.1:" + port + "\", tls: [ { certificate: one.pem, key: one.key, client_ca: client-one.pem },"
                                     " { certificate: two.pem, key: two.key, client_ca: client-two.pem } ] }\n"});
  const auto status = [&](const std::string& name, const std::string& client, const std::string& host = "two.example.test") {
    return run({"curl", "-sk", "-o", folder / "answer", "-w", "%{http_code}", "--resolve", name + ".example.test:" + port + ":127.0.0.1", "--cert",
                folder / (client + ".pem"), "--key", folder / (client + ".key"), "-H", "Host: " + host, "-d", "{}",
                "https://" + name + ".example.test:" + port + "/in"}).out;
  };
  CHECK_EQ(status("two", "client-two"), "200");
  CHECK_EQ(status("two", "client-two", "TWO.example.test."), "200");
  for (const char* host : {"two.example.test", "two.example.test.", "TWO.example.test.:443"}) CHECK_EQ(status("one", "client-one", host), "421");
  CHECK_EQ(status("two", "client-one"), "000");  // the handshake fails
}

TEST_CASE("a_backend_with_a_certificate_nobody_vouches_for_gets_nothing_until_its_authority_is_named") {
  const TempFolder folder;
  make_certificate(folder, "backend", "localhost", "backend");
  const int port = free_port();
  Process server({"openssl", "s_server", "-accept", std::to_string(port), "-cert", folder / "backend.pem", "-key", folder / "backend.key", "-www", "-quiet"}, folder / "server");
  REQUIRE(wait_for([&] { return run({"sh", "-c", "openssl s_client -connect 127.0.0.1:" + std::to_string(port) + " </dev/null >/dev/null 2>&1"}).code == 0; }));
  const std::string url = "\"https://localhost:" + std::to_string(port) + "\"";
  Gateway gateway(folder, {.rules = R"(sources:
  doubted: { match: { path: /doubted, methods: [GET] }, trust: open, routes: [{ to: doubted }] }
  trusted: { match: { path: /trusted, methods: [GET] }, trust: open, routes: [{ to: trusted }] }
destinations:
  doubted: { url: )" + url + ", retry: { schedule: [1h] } }\n  trusted: { url: " + url + ", tls: { ca: backend.pem } }\n"});
  CHECK_EQ(send_once(gateway.address(), "GET /doubted HTTP/1.1\r\nHost: a\r\n\r\n")->status, 202);
  const auto trusted = send_once(gateway.address(), "GET /trusted HTTP/1.1\r\nHost: a\r\n\r\n");
  REQUIRE(trusted.has_value());
  CHECK_EQ(trusted->status, 200);
  CHECK_NE(trusted->body.find("s_server"), std::string::npos);
}
