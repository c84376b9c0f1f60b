#include "cli/spool_folder.h"

namespace belay::cli {

namespace {

constexpr uint64_t kDefaultSize = uint64_t{20} << 30;  // spool.size without a setting

}  // namespace

void add_folder_flags(CLI::App& command, SpoolFolder& folder, bool with_path) {
  if (with_path) command.add_option("--path", folder.path, "The spool's folder")->type_name("DIR");
  command.add_option("-c,--config", folder.load.main_file, "Main file; its spool.path is the folder")->type_name("FILE");
  command.add_option("--state", folder.load.state_folder, "Folder that holds run/ and var/")->type_name("DIR");
}

Result<FolderSettings> read_folder(const SpoolFolder& folder) {
  FolderSettings settings{folder.path, kDefaultSize};
  if (folder.load.main_file.empty()) {
    if (settings.path.empty()) return invalid("name the spool's folder with --path DIR, or the main file with -c FILE");
    return settings;
  }
  conf::Problems problems;
  const auto configuration = conf::load_main(folder.load, problems);
  if (!configuration) return invalid(problems.to_string());
  if (settings.path.empty()) settings.path = configuration->spool.path;
  settings.size = configuration->spool.size;
  return settings;
}

}  // namespace belay::cli
