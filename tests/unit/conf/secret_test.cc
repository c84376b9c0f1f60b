#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "conf/section.h"

using namespace belay;
using namespace belay::conf;

namespace {

// A folder of secret files and an environment of its own.
class Room {
 public:
  Room() {
    std::string name = (std::filesystem::temp_directory_path() / "belay-secret-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    source_.folder = name;
    source_.env = [this](const std::string& key) -> std::optional<std::string> {
      const auto found = environment_.find(key);
      return found == environment_.end() ? std::nullopt : std::optional(found->second);
    };
  }
  ~Room() { std::filesystem::remove_all(source_.folder); }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;

  void file(const std::string& name, const std::string& text, mode_t mode = 0600) {
    std::ofstream(source_.folder + '/' + name) << text;
    REQUIRE(chmod((source_.folder + '/' + name).c_str(), mode) == 0);
  }
  void set(const std::string& key, const std::string& value) { environment_[key] = value; }
  void refuse_literals() { source_.refuse_literals = true; }

  Secret read(const std::string& yaml) {
    problems_ = {};
    const auto document = Document::parse(yaml, "a.yaml", problems_);
    REQUIRE(document);
    return read_secret(document->root().at("s"), source_, problems_);
  }
  // Problems without the name of the temporary folder.
  std::string said() const {
    std::string text = problems_.to_string() + problems_.warnings_to_string();
    for (size_t at = text.find(source_.folder); at != std::string::npos; at = text.find(source_.folder)) {
      text.replace(at, source_.folder.size(), "DIR");
    }
    return text;
  }

 private:
  SecretSource source_;
  std::map<std::string, std::string> environment_;
  Problems problems_;
};

}  // namespace

TEST_CASE("a_secret_comes_from_the_environment_or_a_file") {
  Room room;
  room.set("S", "from-env");
  room.file("s", "from-file\n");
  room.file("two-lines", "a\n\n");
  CHECK(room.read("s: ${env:S}").at(0).value == "from-env");
  CHECK(room.read("s: ${file:s}").at(0).value == "from-file");
  CHECK(room.read("s: \"Bearer ${env:S}/${file:s}\"").at(0).value == "Bearer from-env/from-file");
  CHECK(room.read("s: ${file:two-lines}").at(0).value == "a\n");
  CHECK_FALSE(room.read("s: ${env:S}").at(0).literal);
  CHECK(room.said().empty());
}

TEST_CASE("a_secret_that_cannot_be_had_is_a_problem_where_it_is_written") {
  Room room;
  room.set("EMPTY", "");
  room.file("empty", "\n");
  CHECK(room.read("s: ${env:GONE}").empty());
  CHECK(room.said() ==
        "a.yaml:1:4: environment variable GONE is not set; set it before Belay starts, or write ${file:PATH}\n");
  CHECK(room.read("s: ${env:EMPTY}").empty());
  CHECK(room.said() == "a.yaml:1:4: environment variable EMPTY is empty; set it to the secret\n");
  CHECK(room.read("s: ${file:empty}").empty());
  CHECK(room.said() == "a.yaml:1:4: secret file DIR/empty is empty; put the secret in it\n");
  CHECK(room.read("s: ${file:gone}").empty());
  CHECK(room.said().starts_with("a.yaml:1:4: secret cannot be read: "));
  CHECK(room.read("s: ${vault:x}").empty());
  CHECK(room.said() == "a.yaml:1:4: '${vault:x}' names no secret; write ${env:NAME} or ${file:PATH}\n");
  CHECK(room.read("s: \"${env:S\"").empty());
  CHECK(room.said() == "a.yaml:1:4: '${' without '}' in a secret; write ${env:NAME} or ${file:PATH}\n");
  CHECK(room.read("s: \"\"").empty());
  CHECK(room.said() == "a.yaml:1:4: the secret is empty; write ${env:NAME} or ${file:PATH}\n");
  CHECK(room.read("s: []").empty());
  CHECK(room.said() == "a.yaml:1:4: the list of secrets is empty; write one at least\n");
}

TEST_CASE("a_literal_is_known_as_one_and_refused_when_asked_to") {
  Room room;
  CHECK(room.read("s: hunter2").at(0).literal);
  CHECK(room.said().empty());
  room.refuse_literals();
  (void)room.read("s: hunter2");
  CHECK(room.said() == "a.yaml:1:4: a secret is written in the file itself; write ${env:NAME} or ${file:PATH}\n");
}

TEST_CASE("a_list_of_secrets_carries_the_times_of_a_rotation") {
  Room room;
  room.set("OLD", "o");
  const Secret secret = room.read(
      "s:\n  - {value: '${env:OLD}', valid_until: 2026-01-31T00:00:00Z}\n  - {value: n, valid_from: "
      "2026-01-01T00:00:00Z}\n");
  REQUIRE(secret.size() == 2);
  CHECK(secret[0].value == "o");
  CHECK(to_ms(*secret[0].valid_until) == 1'769'817'600'000);
  CHECK_FALSE(secret[0].valid_from);
  CHECK(secret[1].literal);
  CHECK(secret[1].valid_from.has_value());
  CHECK(room.said().empty());
}

TEST_CASE("a_wrong_rotation_says_what_is_wrong") {
  Room room;
  (void)room.read("s: {value: n, valid_from: 2026-02-01T00:00:00Z, valid_until: 2026-01-01T00:00:00Z}");
  CHECK(room.said() == "a.yaml:1:62: valid_until is not after valid_from\n");
  (void)room.read("s: {value: n, valid_from: tomorrow}");
  CHECK(room.said() == "a.yaml:1:27: 'tomorrow' is not a time; write 2026-01-31T00:00:00Z\n");
  (void)room.read("s: {valid_until: 2026-01-01T00:00:00Z}");
  CHECK(room.said() == "a.yaml:1:4: key 'value' is missing in s; write 'value: \"${env:ACME_SECRET}\"', the secret\n");
  (void)room.read("s: [[a]]");
  CHECK(room.said() == "a.yaml:1:5: a secret must be text; write ${env:NAME} or ${file:PATH}\n");
}

TEST_CASE("a_secret_file_that_everybody_may_read_is_warned_about") {
  Room room;
  room.file("s", "x", 0644);
  CHECK(room.read("s: ${file:s}").size() == 1);
  CHECK(room.said() == "a.yaml:1:4: everybody on this machine may read DIR/s; chmod 600 it\n");
}
