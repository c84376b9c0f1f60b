#include "cli/reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "cli/admin_client.h"
#include "cli/commands.h"
#include "conf/configuration.h"
#include "conf/documented.h"
#include "modules/modules.h"
#include "rules/catalogue.h"

namespace belay::cli {

namespace {

constexpr std::string_view kIntroduction =
    "# Every key\n\n"
    "Made by `belay reference` from the tables that the program itself reads: change those, then run `tools/reference`. The files in\n"
    "`conf/` show the keys at work; `belay check` says what is wrong with a file and what to write instead.\n\n"
    "`NAME` stands for a name of your own, `[]` for the items of a list. Units: durations `500ms 30s 5m 12h 30d`, sizes `64KB 10MB\n"
    "20GB`, rates `100/s 100/min 1000/h`. A secret is `${env:NAME}`, `${file:PATH}` or a literal; a list of them is a rotation.\n";

std::string_view type_name(conf::Type type) {
  switch (type) {
    case conf::Type::text: return "text";
    case conf::Type::boolean: return "true or false";
    case conf::Type::integer: return "whole number";
    case conf::Type::number: return "number";
    case conf::Type::duration: return "duration";
    case conf::Type::size: return "size";
    case conf::Type::rate: return "rate";
    case conf::Type::secrets: return "secret";
    case conf::Type::expression: return "expression";
    case conf::Type::node: return "";
  }
  return "";
}

// A cell of a Markdown table.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out.push_back('\\');
    out.push_back(c == '\n' ? ' ' : c);
  }
  return out;
}

std::string code(std::string_view text) { return text.empty() ? std::string() : fmt::format("`{}`", cell(text)); }

// "a|b|c" are words, everything else is a range as written.
std::string range_text(std::string_view range) {
  if (range.find('|') == std::string_view::npos) return code(range);
  std::string out;
  for (size_t at = 0; at <= range.size();) {
    const size_t end = std::min(range.find('|', at), range.size());
    out += fmt::format("{}`{}`", out.empty() ? "" : " ", range.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

constexpr std::string_view kRulesFile = "rules.d/*.yaml";  // its keys stand at the top

// What a key that its module checks itself holds: a mapping where it has a table of its own, else what its example looks like.
std::string_view type_of(std::string_view path, const conf::Setting& setting) {
  if (setting.type != conf::Type::node) return type_name(setting.type);
  const bool top = path.empty() || path == kRulesFile;
  const std::string own = fmt::format("{}{}{}", top ? "" : path, top ? "" : ".", setting.key);
  for (const conf::Documented& table : conf::Documented::all()) {
    if (table.path == own || table.path == own + ".NAME") return "mapping";
    if (table.path == own + "[]") return "list";
  }
  return setting.example.starts_with('{') ? "mapping" : setting.example.starts_with('[') ? "list" : "text";
}

std::string rows(const conf::Documented& table) {
  std::string out = "| key | type | default | values | what it is | example |\n|---|---|---|---|---|---|\n";
  for (const conf::Setting& setting : table.settings) {
    out += fmt::format("| `{}` | {} | {} | {} | {} | {} |\n", setting.key, type_of(table.path, setting),
                       setting.required ? "required" : code(setting.fallback), range_text(setting.range), cell(setting.help), code(setting.example));
  }
  return out;
}

// "sources.NAME.auth.basic" → "auth"; empty for the keys of a source itself and for everything that is no source's.
std::string_view module_of(std::string_view path) {
  constexpr std::string_view kStart = "sources.NAME.";
  if (!path.starts_with(kStart)) return {};
  path.remove_prefix(kStart.size());
  return path.substr(0, path.find_first_of(".[ "));
}

// Where a table stands in the page: main file, rules file, sources in the order modules run in, routes, destinations.
std::pair<int, int> rank(std::string_view path) {
  constexpr std::string_view kTop[] = {"", "proxy", "spool", "admin", "log", "rules", "sources", "destinations"};
  const std::string_view top = path.substr(0, path.find('.'));
  const auto first = static_cast<int>(std::find(std::begin(kTop), std::end(kTop), top) - std::begin(kTop));
  const std::string_view key = module_of(path);
  if (key.empty()) return {first, 0};
  const auto modules = modules::all();
  const auto found = std::find_if(modules.begin(), modules.end(), [&](const pipeline::Module& module) { return module.key == key; });
  return {first, found == modules.end() ? (key == "routes" ? 1000 : 1) : 2 + static_cast<int>(found - modules.begin())};
}

std::vector<conf::Documented> tables_in_order() {
  std::vector<conf::Documented> tables = conf::Documented::all();
  std::sort(tables.begin(), tables.end(), [](const conf::Documented& a, const conf::Documented& b) {
    const auto rank_a = rank(a.path), rank_b = rank(b.path);
    return rank_a != rank_b ? rank_a < rank_b : a.path < b.path;
  });
  return tables;
}

// The keys of a source that are modules.
std::string module_rows() {
  std::string out;
  std::string_view last;
  for (const pipeline::Module& module : modules::all()) {
    const bool key = module.scope == pipeline::Scope::source ? !module.always || !module.settings.empty() : !module.settings.empty();
    if (!key || module.key == last) continue;
    last = module.key;
    const bool named_already = out.find(fmt::format("| `{}` |", module.key)) != std::string::npos;
    if (!named_already) out += fmt::format("| `{}` | | | | {}; see [modules/{}](../modules/{}/README.md) | |\n", module.key, cell(module.help), module.key, module.key);
  }
  return out;
}

std::string title_of(std::string_view path) {
  if (path.empty()) return "Main file";
  return fmt::format("`{}`", path);
}

std::string settings_part() {
  std::string out;
  for (const conf::Documented& table : tables_in_order()) {
    out += fmt::format("\n## {}\n\n", title_of(table.path));
    for (const pipeline::Module& module : modules::all()) {
      if (table.path == fmt::format("sources.NAME.{}", module.key)) {
        out += fmt::format("{}.\n\n", module.help);
        break;
      }
    }
    out += rows(table);
    if (table.path == "sources.NAME") out += module_rows();
  }
  return out;
}

std::string language_part() {
  std::string out =
      "\n## Expressions\n\n"
      "CEL (Common Expression Language): `== != < <= > >= && || ! + - * / % in ?:`, literals, lists, maps, `a.b` `a[0]` `a.?b`. Payload fields\n"
      "stand at the root (`order.total > 100`); everything else begins with `$`:";
  for (const std::string_view name : rules::variable_names()) out += fmt::format(" `{}`", name);
  out += ".\n`belay eval EXPR --payload FILE` shows what one gives. [src/rules](../src/rules/README.md) says more.\n\n";
  out += "| of | call | gives |\n|---|---|---|\n";
  for (const rules::Call& call : rules::catalogue()) out += fmt::format("| {} | `{}` | {} |\n", call.group, cell(call.text), cell(call.result));
  return out;
}

std::string algorithm_of(const conf::Node& verify) {
  if (!verify.present()) return "nothing";
  const std::string& algorithm = verify.at("algorithm").text();
  return algorithm.empty() ? "several schemes" : algorithm;
}

std::string place_of(const conf::Node& verify) {
  const conf::Node& signature = verify.at("signature");
  for (const std::string_view place : {"header", "query", "form", "body"}) {
    const std::string& name = signature.at(place).text();
    if (!name.empty()) return fmt::format("{} `{}`", place, cell(name));
  }
  return {};
}

std::string presets_part(const conf::PresetSet& set) {
  std::string out =
      "\n## Presets\n\n"
      "Files in [conf/presets](../conf/presets): `preset: NAME` fills `verify`, `handshake` and `identify` of a source, `retry: { preset: NAME }`\n"
      "the schedule of a destination.\n\n"
      "| preset | proof | where it stands | handshake | retry |\n|---|---|---|---|---|\n";
  for (const conf::Named& preset : set.presets) {
    const conf::Node& verify = preset.node.at("verify");
    out += fmt::format("| `{}` | {} | {} | {} | {} |\n", preset.name, cell(algorithm_of(verify)), place_of(verify),
                       preset.node.at("handshake").present() ? "yes" : "", preset.node.at("retry").present() ? "yes" : "");
  }
  return out;
}

int print_reference() {
  const auto text = reference_markdown();
  if (!text) return report("reference", text.error());
  fmt::print("{}", *text);
  return 0;
}

}  // namespace

Result<std::string> reference_markdown() {
  conf::Problems problems;
  const conf::PresetSet presets = conf::load_presets({}, problems);
  if (!problems.empty()) return invalid(problems.to_string());
  return std::string(kIntroduction) + settings_part() + language_part() + presets_part(presets);
}

void add_reference(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("reference", "Every key of the rules, the expression language and the presets, as Markdown");
  command->callback([&exit_code] { exit_code = print_reference(); });
}

}  // namespace belay::cli
