// Golden pairs: tests/conf/wrong/NAME.yaml is a wrong main file or rules file, NAME.expected what Belay says about it.
// A file whose first line is "# rules file" is loaded under an empty main file. With BELAY_WRITE_GOLDEN set the
// expected files are written anew: read the difference as a user would before it is committed.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "conf/configuration.h"

namespace fs = std::filesystem;
using namespace belay;

namespace {

const fs::path kFolder = fs::path(SOURCE_ROOT) / "tests/conf/wrong";

std::string read(const fs::path& file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string without(std::string text, const std::string& piece) {
  for (size_t at = text.find(piece); at != std::string::npos; at = text.find(piece)) text.erase(at, piece.size());
  return text;
}

// What load() says, file names without their folder.
std::string said_about(const fs::path& file) {
  conf::Problems problems;
  if (!read(file).starts_with("# rules file")) {
    CHECK_FALSE(conf::load({.main_file = file.string()}, problems));
    return without(problems.to_string(), kFolder.string() + "/");
  }
  std::string folder = (fs::temp_directory_path() / "belay-golden-XXXXXX").string();
  REQUIRE(mkdtemp(folder.data()) != nullptr);
  fs::create_directory(folder + "/rules.d");
  fs::copy(file, folder + "/rules.d");
  std::ofstream(folder + "/belay.yaml") << "log: {level: warn}\n";
  CHECK_FALSE(conf::load({.main_file = folder + "/belay.yaml"}, problems));
  const std::string said = without(problems.to_string(), folder + "/");
  fs::remove_all(folder);
  return said;
}

}  // namespace

TEST_CASE("every_wrong_file_is_answered_with_the_expected_words") {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  REQUIRE(files.size() >= 20);
  for (const fs::path& file : files) {
    CAPTURE(file.filename().string());
    const std::string said = said_about(file);
    fs::path expected = file;
    expected.replace_extension(".expected");
    if (std::getenv("BELAY_WRITE_GOLDEN") != nullptr) std::ofstream(expected) << said;
    CHECK(said == read(expected));
    CHECK_FALSE(said.empty());
  }
}
