// Debian's nginx in front, with the file we ship: TLS ends at nginx, a unix socket leads to Belay, the client's address is kept.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "support/backend.h"
#include "support/gateway.h"

using namespace belay::test;

namespace {

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  REQUIRE_NE(text.find(from), std::string::npos);
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("webhooks_come_through_nginx_with_tls_and_the_address_of_the_client") {
  const TempFolder folder;
  chmod(folder.path().c_str(), 0755);  // nginx workers run as another user
  Backend backend(folder);
  Gateway gateway(folder, {.rules = R"(sources:
  near: { match: { path: "/near/*" }, trust: open, allow: [127.0.0.9], routes: [{ to: backend }] }
destinations:
  backend: { url: "http://)" + backend.address() + "\" }\n", .proxy = "  trusted_proxies: [\"unix:\"]\n"});
  REQUIRE_EQ(run({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "key.pem", "-out", folder / "chain.pem", "-days", "2",
                  "-subj", "/CN=hooks.example.com", "-addext", "subjectAltName=DNS:hooks.example.com"}).code, 0);
  const int port = free_port();
  std::string site = read_text(source_folder() + "/conf/deploy/nginx.conf");
  REQUIRE_FALSE(site.empty());
  replace_all(site, "listen 443 ssl;", "listen 127.0.0.1:" + std::to_string(port) + " ssl;");
  replace_all(site, "listen [::]:443 ssl;", "");
  replace_all(site, "/etc/letsencrypt/live/hooks.example.com/fullchain.pem", folder / "chain.pem");
  replace_all(site, "/etc/letsencrypt/live/hooks.example.com/privkey.pem", folder / "key.pem");
  replace_all(site, "/run/belay/proxy.sock", gateway.state() + "/run/proxy.sock");
  folder.write("site.conf", site);
  folder.write("nginx.conf", "user root;\nworker_processes 1;\ndaemon off;\npid " + (folder / "nginx.pid") + ";\nerror_log " + (folder / "nginx-error.log") +
                                 ";\nevents {}\nhttp {\n  access_log off;\n  client_body_temp_path " + (folder / "b") + ";\n  proxy_temp_path " + (folder / "p") +
                                 ";\n  fastcgi_temp_path " + (folder / "f") + ";\n  uwsgi_temp_path " + (folder / "u") + ";\n  scgi_temp_path " + (folder / "s") +
                                 ";\n  include " + (folder / "site.conf") + ";\n}\n");
  Process nginx({"nginx", "-c", folder / "nginx.conf", "-p", folder.path()}, folder / "nginx");
  const auto curl = [&](const std::string& from) {
    return run({"curl", "-sk", "--interface", from, "--resolve", "hooks.example.com:" + std::to_string(port) + ":127.0.0.1", "-o", folder / "body", "-w", "%{http_code}",
                "-H", "Content-Type: application/json", "-H", "X-Forwarded-For: 203.0.113.1", "--data-binary", "{\"n\":1.0}",
                "https://hooks.example.com:" + std::to_string(port) + "/near/x?y=1"}).out;
  };
  std::string first;
  CHECK(wait_for([&] { first = curl("127.0.0.9"); return first != "000"; }));
  INFO(nginx.err(), read_text(folder / "nginx-error.log"));
  CHECK_EQ(first, "200");
  CHECK_EQ(curl("127.0.0.8"), "403");
  REQUIRE_EQ(backend.seen_count(), 1);
  const Seen seen = backend.seen()[0];
  CHECK_EQ(seen.target, "/near/x?y=1");
  CHECK_EQ(seen.body, "{\"n\":1.0}");
  CHECK_NE(seen.head.find("Host: hooks.example.com"), std::string::npos);
  CHECK_NE(seen.head.find("127.0.0.9"), std::string::npos);
  CHECK_NE(seen.head.find("X-Forwarded-Proto: https"), std::string::npos);
  nginx.signal(15);
  nginx.wait();
}
