#include "cli/problems_text.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

#include "base/bytes.h"
#include "rules/lexer.h"

namespace belay::cli {

namespace {

constexpr size_t kMaxFile = size_t{16} << 20;
constexpr size_t kMaxWithLines = 200;  // problems; more than that are one line each
constexpr std::string_view kSecretKeys[] = {"secret", "token", "password", "bearer", "signing", "apikey", "api-key", "api_key"};

class Files {
 public:
  // Empty when there is no such line.
  std::string line(const conf::Position& position) {
    const auto [found, fresh] = lines_.try_emplace(position.file);
    if (fresh) {
      const auto text = read_file(position.file, kMaxFile);
      std::string_view rest = text ? std::string_view(*text) : std::string_view();
      if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
      for (const std::string_view line : split(rest, '\n')) found->second.emplace_back(line.ends_with('\r') ? line.substr(0, line.size() - 1) : line);
    }
    const auto index = static_cast<size_t>(position.line - 1);
    return index < found->second.size() ? found->second[index] : std::string();
  }

 private:
  std::map<std::string, std::vector<std::string>> lines_;
};

bool is_key_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; }

bool names_secret(std::string_view key) {
  const std::string lower = ascii_lower(key);
  return lower == "value" || std::any_of(std::begin(kSecretKeys), std::end(kSecretKeys), [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

}  // namespace

std::string without_secrets(std::string_view line) {
  std::string out(line);
  for (size_t colon = out.find(':'); colon != std::string::npos; colon = out.find(':', colon + 1)) {
    size_t key = colon;
    while (key > 0 && is_key_letter(out[key - 1])) --key;
    if (!names_secret(std::string_view(out).substr(key, colon - key))) continue;
    size_t begin = std::min(out.find_first_not_of(" \t", colon + 1), out.size());
    // Names of secrets, in mappings, are followed by values of their own.
    if (begin == out.size() || out[begin] == '{') continue;
    const bool list = out[begin] == '[';
    const char quote = out[begin];
    size_t end = list ? out.find(']', begin) : quote == '"' || quote == '\'' ? out.find(quote, begin + 1) : out.find_first_of(",}", begin);
    if (list || quote == '"' || quote == '\'') ++begin;
    end = std::min(end, out.size());
    while (end > begin && out[end - 1] == ' ') --end;
    if (out.compare(begin, 2, "${") != 0 && out.compare(begin, 2, "\"$") != 0) std::fill(out.begin() + static_cast<ptrdiff_t>(begin), out.begin() + static_cast<ptrdiff_t>(end), '*');
  }
  return out;
}

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
    const std::string line = without_secrets(files.line(problem.position));
    if (line.empty()) continue;
    const std::string marked = rules::caret(line, static_cast<size_t>(problem.position.column - 1));
    const size_t second = marked.find('\n') + 1;
    out += "    " + marked.substr(0, second) + "    " + marked.substr(second) + '\n';
  }
  return out;
}

}  // namespace belay::cli
