#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "conf/configuration.h"

#ifndef BELAY_PRESETS_DIR
#error "BELAY_PRESETS_DIR comes from meson.build"
#endif

namespace belay::conf {

namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxPresets = 10'000;

// The presets of one folder in name order; a folder that is not there has none.
std::vector<std::string> files_of(const fs::path& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator file(folder, error), end; !error && file != end; file.increment(error)) {
    if (file->path().extension() == ".yaml" && files.size() < kMaxPresets) files.push_back(file->path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// The installed presets: of $BELAY_PRESETS, else of the system, else of the source tree this binary was built from.
std::string installed_folder() {
  if (const char* named = std::getenv("BELAY_PRESETS"); named != nullptr && *named != '\0') return named;
  std::error_code ignored;
  if (fs::is_directory("/usr/share/belay/presets", ignored)) return "/usr/share/belay/presets";
  return BELAY_PRESETS_DIR;
}

}  // namespace

PresetSet load_presets(const std::string& folder, Problems& problems) {
  PresetSet set;
  std::vector<std::string> folders;
  if (!folder.empty()) folders.push_back(folder + "/presets");
  folders.push_back(installed_folder());
  for (const std::string& each : folders) {
    for (const std::string& file : files_of(each)) {
      const std::string name = fs::path(file).stem().string();
      const auto same = [&](const Named& other) { return other.name == name; };
      if (std::any_of(set.presets.begin(), set.presets.end(), same)) continue;  // the user's own comes first
      const auto document = Document::load(file, problems);
      if (!document) continue;
      set.documents.push_back(document);
      if (!document->root().is_map()) {
        problems.add({file, 1, 1}, "a preset must be a mapping", "write keys such as 'verify:' and 'identify:'");
        continue;
      }
      set.presets.push_back({name, document->root().position(), document->root(), each});
    }
  }
  std::sort(set.presets.begin(), set.presets.end(), [](const Named& a, const Named& b) { return a.name < b.name; });
  return set;
}

}  // namespace belay::conf
