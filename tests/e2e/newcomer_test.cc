// What a newcomer reads who makes a mistake, through the program: belay check for rules files (tests/conf/wrong/newcomer/NAME.yaml), belay
// eval for expressions (tests/conf/wrong/expressions/NAME.expr, the payload beside them). NAME.expected is what stderr says. With
// BELAY_WRITE_GOLDEN set the expected files are written anew: read the difference as a user would before it is committed.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "support/process.h"

using namespace belay::test;
namespace fs = std::filesystem;

namespace {

std::vector<fs::path> files_in(const std::string& folder, const std::string& extension) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(fs::path(source_folder()) / "tests/conf/wrong" / folder)) {
    if (entry.path().extension() == extension) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  CHECK_GE(files.size(), 10);
  return files;
}

// Every message says where, shows the spot, and is the expected one.
void check_said(const fs::path& file, const std::string& said) {
  CAPTURE(file.filename().string());
  CHECK_NE(said.find('^'), std::string::npos);
  fs::path expected = file;
  expected.replace_extension(".expected");
  if (std::getenv("BELAY_WRITE_GOLDEN") != nullptr) std::ofstream(expected) << said;
  REQUIRE(fs::exists(expected));
  CHECK_EQ(said, read_text(expected.string()));
}

}  // namespace

TEST_CASE("a_wrong_rules_file_is_answered_with_the_place_and_what_to_write_instead") {
  for (const fs::path& file : files_in("newcomer", ".yaml")) {
    const TempFolder folder;
    const std::string main = folder.write("belay.yaml", "admin: { token: t }\nrules: [rules.yaml]\n");
    folder.write("rules.yaml", read_text(file.string()));
    const Finished done = run({belay_binary(), "check", "-c", main});
    CHECK_EQ(done.code, 1);
    CHECK_EQ(done.out, "");
    // The folder is made for the test.
    std::string said = done.err;
    const std::string path = folder.path() + "/";
    for (size_t at = said.find(path); at != std::string::npos; at = said.find(path, at)) said.erase(at, path.size());
    check_said(file, said);
  }
}

TEST_CASE("a_wrong_expression_is_answered_with_the_place_and_what_to_write_instead") {
  for (const fs::path& file : files_in("expressions", ".expr")) {
    std::string expression = read_text(file.string());
    while (expression.ends_with('\n')) expression.pop_back();
    const Finished done = run({belay_binary(), "eval", expression, "--payload", (file.parent_path() / "payload.json").string()});
    CHECK_EQ(done.code, 1);
    CHECK_EQ(done.out, "");
    check_said(file, done.err);
  }
}
