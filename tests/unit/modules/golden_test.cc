// Golden pairs of what modules refuse: tests/conf/wrong/modules/NAME.yaml is a wrong rules file, NAME.expected every problem
// that building a ruleset from it finds: one mistake, one problem. With BELAY_WRITE_GOLDEN set the expected files are written
// anew: read the difference as a user would before it is committed.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "kit.h"

namespace fs = std::filesystem;
using namespace belay;
using namespace belay::test;

namespace {

std::string read(const fs::path& file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// The rules stand in a folder that is made for the test: its path is cut out.
std::string said_about(const fs::path& file) {
  const Kit kit(read(file));
  CHECK_FALSE(kit.built());
  std::string said = kit.problems();
  const std::string folder = kit.folder() + "/";
  for (size_t at = said.find(folder); at != std::string::npos; at = said.find(folder, at)) said.erase(at, folder.size());
  return said;
}

}  // namespace

TEST_CASE("every_wrong_rules_file_is_answered_with_the_expected_words") {
  const char* source = std::getenv("BELAY_SOURCE");
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(fs::path(source != nullptr ? source : ".") / "tests/conf/wrong/modules")) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  REQUIRE_FALSE(files.empty());
  for (const fs::path& file : files) {
    CAPTURE(file.filename().string());
    const std::string said = said_about(file);
    fs::path expected = file;
    expected.replace_extension(".expected");
    if (std::getenv("BELAY_WRITE_GOLDEN") != nullptr) std::ofstream(expected) << said;
    CHECK_EQ(said, read(expected));
  }
}
