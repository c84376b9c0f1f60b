#include "conf/configuration.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace belay;
namespace fs = std::filesystem;

namespace {

constexpr const char* kRules =
    "sources:\n"
    "  acme:\n"
    "    match: /webhooks/acme\n"
    "    secrets: { signing: \"${file:acme.secret}\" }\n"
    "    auth: { basic: { user: literal-user, password: literal-password } }\n"
    "    verify: { key: { secret: signing } }\n"
    "    routes: [{ to: crm }]\n"
    "destinations:\n"
    "  crm: { url: \"http://user:pass@127.0.0.1:8081/x\", headers: { set: { X-Api-Key: literal-key } } }\n";

// A configuration folder of its own.
class Folder {
 public:
  Folder() {
    path_ = (fs::temp_directory_path() / "belay-conf-XXXXXX").string();
    REQUIRE(mkdtemp(path_.data()) != nullptr);
    fs::create_directories(path_ + "/rules.d");
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  void write(const std::string& name, const std::string& text) const {
    fs::create_directories(fs::path(path_ + '/' + name).parent_path());
    std::ofstream(path_ + '/' + name) << text;
  }
  std::shared_ptr<const conf::Configuration> load(const std::string& state = {}) {
    problems_ = {};
    return conf::load({.main_file = path_ + "/belay.yaml", .state_folder = state}, problems_);
  }
  std::string said() const {
    std::string text = problems_.to_string();
    for (size_t at = text.find(path_); at != std::string::npos; at = text.find(path_))
      text.replace(at, path_.size(), "DIR");
    return text;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  conf::Problems problems_;
};

}  // namespace

TEST_CASE("an_empty_main_file_has_every_default") {
  Folder folder;
  folder.write("belay.yaml", "");
  folder.write("rules.d/acme.yaml", kRules);
  const auto configuration = folder.load();
  REQUIRE_MESSAGE(configuration, folder.said());
  CHECK(configuration->proxy.listen.at(0).address == "127.0.0.1:8080");
  CHECK(configuration->proxy.workers >= 1);
  CHECK(configuration->proxy.limits.body == 10u << 20);
  CHECK(configuration->proxy.limits.header == 32u << 10);
  CHECK(configuration->proxy.limits.headers == 100);
  CHECK(configuration->proxy.limits.connections == 20'000);
  CHECK(configuration->proxy.limits.memory == 1u << 30);
  CHECK(configuration->proxy.limits.head_timeout == Duration(10'000));
  CHECK(configuration->proxy.limits.idle_timeout == Duration(30'000));
  CHECK(configuration->proxy.limits.body_rate == 500);
  CHECK(configuration->spool.socket == folder.path() + "/run/spool.sock");
  CHECK(configuration->spool.path == folder.path() + "/var/spool");
  CHECK(configuration->spool.size == uint64_t{20} << 30);
  CHECK(configuration->spool.retention == Duration(2'592'000'000));
  CHECK(configuration->spool.history == Duration(7'776'000'000));
  CHECK(configuration->admin.listen == "127.0.0.1:9180");
  CHECK(configuration->admin.tokens.empty());
  CHECK(configuration->log.level == "info");
  CHECK(configuration->log.access == "stdout");
  CHECK(configuration->log.format == "json");
}

TEST_CASE("the_main_file_is_read_whole") {
  Folder folder;
  folder.write("admin.token", "t0ken\n");
  folder.write("tls/chain.pem", "x");
  folder.write("tls/key.pem", "x");
  folder.write(
      "belay.yaml",
      "proxy:\n"
      "  listen:\n"
      "    - unix:run/proxy.sock\n"
      "    - { address: \"[::]:0\", tls: { certificate: tls/chain.pem, key: tls/key.pem }, proxy_protocol: true }\n"
      "  workers: 3\n"
      "  trusted_proxies: [127.0.0.0/8, \"unix:\"]\n"
      "  limits: { body: 1MB, body_rate: 2KB/s, connections_per_client: 7, stop_timeout: 5s }\n"
      "spool: { size: 1GB }\n"
      "admin: { listen: \"unix:run/admin.sock\", token: \"${file:admin.token}\" }\n"
      "log: { level: warn, access: var/access.log, format: json }\n"
      "rules: [rules.d/*.yaml]\n");
  folder.write("rules.d/acme.yaml", kRules);
  const auto configuration = folder.load();
  REQUIRE_MESSAGE(configuration, folder.said());
  REQUIRE(configuration->proxy.listen.size() == 2);
  CHECK(configuration->proxy.listen[0].address == "unix:" + folder.path() + "/run/proxy.sock");
  CHECK(configuration->proxy.listen[1].address == "[::]:0");
  CHECK(configuration->proxy.listen[1].proxy_protocol);
  CHECK(configuration->proxy.listen[1].tls.at(0).key == folder.path() + "/tls/key.pem");
  CHECK(configuration->proxy.listen[1].position.line == 4);
  CHECK(configuration->proxy.workers == 3);
  CHECK(configuration->proxy.trusted_proxies == std::vector<std::string>{"127.0.0.0/8", "unix:"});
  CHECK(configuration->proxy.limits.body_rate == 2048);
  CHECK(configuration->proxy.limits.connections_per_client == 7);
  CHECK(configuration->proxy.limits.stop_timeout == Duration(5'000));
  CHECK(configuration->admin.tokens.at(0).value.at(0).value == "t0ken");
  CHECK(configuration->admin.tokens.at(0).operate);
  CHECK(configuration->log.access == folder.path() + "/var/access.log");
}

TEST_CASE("tokens_have_names_and_roles_and_the_single_one_is_called_admin") {
  Folder folder;
  folder.write("belay.yaml",
               "admin:\n"
               "  listen: unix:run/admin.sock\n"
               "  socket_mode: 0660\n"
               "  token: [a, { value: b, valid_until: 2026-01-31T00:00:00Z }]\n"
               "  tokens: { dashboard: { token: c }, ops: { token: [d, e], role: operate } }\n");
  folder.write("rules.d/acme.yaml", kRules);
  const auto configuration = folder.load();
  REQUIRE_MESSAGE(configuration, folder.said());
  const conf::AdminSettings& admin = configuration->admin;
  CHECK(admin.socket_mode == 0660);
  REQUIRE(admin.tokens.size() == 3);
  CHECK(admin.tokens[0].name == "admin");
  CHECK(admin.tokens[0].value.size() == 2);
  CHECK(admin.tokens[0].operate);
  CHECK(admin.tokens[1].name == "dashboard");
  CHECK_FALSE(admin.tokens[1].operate);
  CHECK(admin.tokens[2].operate);
  const std::string printed = print(*configuration);
  CHECK(printed.find("  token: \"***\"\n  tokens:\n    dashboard:\n      token: \"***\"\n      role: read\n") != std::string::npos);
}

TEST_CASE("the_state_folder_moves_run_and_var_and_nothing_else") {
  Folder folder, state;
  folder.write("belay.yaml", "log: { access: access.log }\n");
  folder.write("rules.d/acme.yaml", kRules);
  const auto configuration = folder.load(state.path() + "/");
  REQUIRE_MESSAGE(configuration, folder.said());
  CHECK(configuration->state_folder == state.path());
  CHECK(configuration->spool.socket == state.path() + "/run/spool.sock");
  CHECK(configuration->spool.path == state.path() + "/var/spool");
  CHECK(configuration->log.access == folder.path() + "/access.log");
}

TEST_CASE("rules_files_are_read_in_name_order_and_once") {
  Folder folder;
  folder.write("belay.yaml", "rules: [rules.d/*.yaml, rules.d/b.yaml]\n");
  folder.write("rules.d/b.yaml", "sources:\n  two: { routes: [{ to: crm }] }\n");
  folder.write("rules.d/a.yaml", kRules);
  const auto configuration = folder.load();
  REQUIRE_MESSAGE(configuration, folder.said());
  REQUIRE(configuration->sources.size() == 2);
  CHECK(configuration->sources[0].name == "acme");
  CHECK(configuration->sources[0].position.to_string() == folder.path() + "/rules.d/a.yaml:2:3");
  CHECK(configuration->sources[0].folder == folder.path());
  CHECK(configuration->sources[1].name == "two");
}

TEST_CASE("a_folder_of_rules_that_cannot_be_read_is_a_problem_not_an_empty_folder") {
  Folder folder;
  folder.write("belay.yaml", kRules);
  fs::remove_all(folder.path() + "/rules.d");
  fs::create_symlink("rules.d", folder.path() + "/rules.d");
  CHECK_FALSE(folder.load());
  CHECK_MESSAGE(folder.said().find("rules.d: Too many levels of symbolic links; make the folder readable") != std::string::npos, folder.said());
}

TEST_CASE("the_main_files_folder_may_be_named_like_a_pattern") {
  Folder folder;
  folder.write("a[1]*/belay.yaml", "rules: [rules.d/*.yaml]\n");
  folder.write("a[1]*/rules.d/a.yaml", kRules);
  conf::Problems problems;
  CHECK_MESSAGE(conf::load({.main_file = folder.path() + "/a[1]*/belay.yaml"}, problems), problems.to_string());
}

TEST_CASE("sources_may_stand_in_the_main_file") {
  Folder folder;
  folder.write("belay.yaml", kRules);
  const auto configuration = folder.load();
  REQUIRE_MESSAGE(configuration, folder.said());
  CHECK(configuration->sources.size() == 1);
  CHECK(configuration->destinations.size() == 1);
}

TEST_CASE("a_name_of_another_file_is_reported_with_both_places") {
  Folder folder;
  folder.write("belay.yaml", "");
  folder.write("rules.d/a.yaml", kRules);
  folder.write("rules.d/b.yaml", std::string("# moved down\n") + kRules);
  CHECK_FALSE(folder.load());
  CHECK(folder.said() ==
        "DIR/rules.d/b.yaml:3:3: source 'acme' is already defined at DIR/rules.d/a.yaml:2:3; rename one\n"
        "DIR/rules.d/b.yaml:10:3: destination 'crm' is already defined at DIR/rules.d/a.yaml:9:3; rename one\n");
}

TEST_CASE("every_file_reports_its_problems_in_one_run") {
  Folder folder;
  folder.write("belay.yaml", "log: { level: loud }\n");
  folder.write("rules.d/a.yaml", "sorces: {}\n");
  folder.write("rules.d/b.yaml", "sources: [\n");
  folder.write("rules.d/c.yaml", "sources:\n  acme: 1\n");
  CHECK_FALSE(folder.load());
  CHECK(folder.said() ==
        "DIR/belay.yaml:1:15: level cannot be 'loud'; write debug, info, warn, error or alert\n"
        "DIR/rules.d/a.yaml:1:1: unknown key 'sorces'; did you mean 'sources'?\n"
        "DIR/rules.d/b.yaml:2:1: a '[' is never closed; write ']' at its end and ',' between items; an item that holds brackets or quotes stands in quotes\n"
        "DIR/rules.d/c.yaml:2:3: source 'acme' must be a mapping; write acme: { match: { path: /webhooks/acme } }, or its keys below it, indented\n");
}

TEST_CASE("the_users_own_preset_comes_before_the_installed_one") {
  Folder folder, installed;
  folder.write("belay.yaml", kRules);
  folder.write("presets/acme.yaml", "verify: { algorithm: own }\n");
  installed.write("acme.yaml", "verify: { algorithm: installed }\n");
  installed.write("other.yaml", "verify: { algorithm: other }\n");
  REQUIRE(setenv("BELAY_PRESETS", installed.path().c_str(), 1) == 0);
  const auto configuration = folder.load();
  REQUIRE(unsetenv("BELAY_PRESETS") == 0);
  REQUIRE_MESSAGE(configuration, folder.said());
  CHECK(configuration->preset_names() == std::vector<std::string>{"acme", "other"});
  CHECK(configuration->preset("acme")->at("verify").at("algorithm").text() == "own");
  CHECK(configuration->preset("other")->at("verify").at("algorithm").text() == "other");
  CHECK(configuration->preset("nobody") == nullptr);
}

TEST_CASE("print_shows_settings_and_no_secret") {
  Folder folder;
  folder.write("belay.yaml", "admin: { token: literal-token }\n");
  folder.write("rules.d/acme.yaml", kRules);
  const auto configuration = folder.load();
  REQUIRE_MESSAGE(configuration, folder.said());
  const std::string text = conf::print(*configuration);
  CAPTURE(text);
  for (const char* secret : {"literal-", "acme.secret", "user:pass"}) CHECK(text.find(secret) == std::string::npos);
  for (const char* shown : {"  limits:\n    body: 10MB\n", "    body_rate: 500B/s\n", "    idle_timeout: 30s\n",
                            "  size: 20GB\n", "  retention: 30d\n", "  token: \"***\"\n", "      signing: \"***\"\n",
                            "        secret: signing\n", "    url: \"http://***@127.0.0.1:8081/x\"\n"}) {
    CAPTURE(shown);
    CHECK(text.find(shown) != std::string::npos);
  }
  conf::Problems problems;
  CHECK_MESSAGE(conf::Document::parse(text, "printed", problems), problems.to_string());
}
