#include "cli/problems_text.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

#include "base/bytes.h"
#include "cli/without_secrets.h"
#include "rules/lexer.h"

namespace belay::cli {

namespace {

constexpr size_t kMaxFile = size_t{16} << 20;
constexpr size_t kMaxWithLines = 200;  // problems; more than that are one line each

class Files {
 public:
  // As it may be shown; empty when there is no such line.
  std::string line(const conf::Position& position) {
    const auto [found, fresh] = lines_.try_emplace(position.file);
    if (fresh) {
      const auto text = read_file(position.file, kMaxFile);
      std::string_view rest = text ? std::string_view(*text) : std::string_view();
      if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
      for (const std::string_view line : split(rest, '\n')) found->second.emplace_back(line.ends_with('\r') ? line.substr(0, line.size() - 1) : line);
    }
    const auto index = static_cast<size_t>(position.line - 1);
    if (index >= found->second.size()) return {};
    return without_secrets(found->second[index], below_secret_key(found->second, index));
  }

 private:
  std::map<std::string, std::vector<std::string>> lines_;
};

}  // namespace

std::string problems_text(const conf::Problems& problems) {
  if (problems.all().size() > kMaxWithLines) return problems.to_string();
  std::vector<conf::Problem> sorted = problems.all();
  std::stable_sort(sorted.begin(), sorted.end(), [](const conf::Problem& a, const conf::Problem& b) {
    return std::tie(a.position.file, a.position.line, a.position.column) < std::tie(b.position.file, b.position.line, b.position.column);
  });
  Files files;
  std::string out;
  for (const conf::Problem& problem : sorted) {
    const bool joined = problem.hint.empty() || problem.hint.front() == '\n';
    out += problem.position.to_string() + ": " + problem.what + (joined ? "" : "; ") + problem.hint + '\n';
    // Problems of expressions show theirs.
    if (problem.hint.find('\n') != std::string::npos || problem.position.line < 1 || problem.position.column < 1) continue;
    const std::string line = files.line(problem.position);
    if (line.empty()) continue;
    const std::string marked = rules::caret(line, static_cast<size_t>(problem.position.column - 1));
    const size_t second = marked.find('\n') + 1;
    out += "    " + marked.substr(0, second) + "    " + marked.substr(second) + '\n';
  }
  return out;
}

}  // namespace belay::cli
