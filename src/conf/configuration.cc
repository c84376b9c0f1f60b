#include "conf/configuration.h"

#include <algorithm>
#include <filesystem>

#include "conf/loading.h"

namespace belay::conf {

namespace {

namespace fs = std::filesystem;

// The current folder is asked for without exceptions: it may have been removed.
std::string absolute_path(const fs::path& path) {
  std::error_code ignored;
  const fs::path whole = fs::absolute(path.empty() ? "." : path, ignored);
  return (ignored ? path : whole).lexically_normal().string();
}

std::string without_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

}  // namespace

std::string place(const Configuration& configuration, const std::string& path) {
  if (path.starts_with('/')) return fs::path(path).lexically_normal().string();
  const std::string normal = fs::path(path).lexically_normal().string();
  const bool state = normal.starts_with("run/") || normal.starts_with("var/") || normal == "run" || normal == "var";
  return absolute_path(fs::path(state ? configuration.state_folder : configuration.folder) / normal);
}

SecretSource Configuration::secret_source() const {
  return {folder, {}, strict_secrets};
}

const Node* Configuration::preset(const std::string& name) const {
  const auto found =
      std::lower_bound(presets.begin(), presets.end(), name,
                       [](const Named& preset, const std::string& wanted) { return preset.name < wanted; });
  return found != presets.end() && found->name == name ? &found->node : nullptr;
}

std::vector<std::string> Configuration::preset_names() const {
  std::vector<std::string> names;
  names.reserve(presets.size());
  for (const Named& preset : presets) names.push_back(preset.name);
  return names;
}

namespace {

// Reads the main file's own sections; false when there is nothing to go on with.
bool open_main(const LoadOptions& options, Configuration& configuration, RulesPatterns& rules, Problems& problems) {
  configuration.main_file = options.main_file;
  configuration.folder = without_slash(absolute_path(fs::path(options.main_file).parent_path()));
  configuration.state_folder =
      options.state_folder.empty() ? configuration.folder : without_slash(absolute_path(options.state_folder));
  configuration.strict_secrets = options.strict_secrets;

  const auto main = Document::load(options.main_file, problems);
  if (!main) return false;
  configuration.documents.push_back(main);
  rules = read_main(main->root(), configuration, configuration.secret_source(), problems);
  return true;
}

}  // namespace

std::shared_ptr<const Configuration> load_main(const LoadOptions& options, Problems& problems) {
  auto configuration = std::make_shared<Configuration>();
  RulesPatterns rules;
  return open_main(options, *configuration, rules, problems) && problems.empty() ? configuration : nullptr;
}

std::shared_ptr<const Configuration> load(const LoadOptions& options, Problems& problems) {
  auto configuration = std::make_shared<Configuration>();
  RulesPatterns rules;
  if (!open_main(options, *configuration, rules, problems)) return nullptr;
  read_rules(rules, *configuration, problems);
  PresetSet presets = load_presets(configuration->folder, problems);
  configuration->presets = std::move(presets.presets);
  configuration->documents.insert(configuration->documents.end(), presets.documents.begin(), presets.documents.end());
  return problems.empty() || options.despite_problems ? configuration : nullptr;
}

void check_reload(const Configuration& running, const Configuration& next, Problems& problems) {
  if (running.spool.socket == next.spool.socket) return;
  problems.add(next.spool.socket_position, "spool.socket changes with a restart, not with a reload: the spool listens on " + running.spool.socket,
               "restart Belay, or write the former path");
}

}  // namespace belay::conf
