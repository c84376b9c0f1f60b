#include "cli/without_secrets.h"

#include <algorithm>
#include <span>

#include "base/bytes.h"

namespace belay::cli {

namespace {

constexpr std::string_view kHolders[] = {"secrets", "auth"};
constexpr std::string_view kTelling[] = {"secret", "token", "password", "bearer", "signing", "apikey", "api-key", "api_key", "authorization", "cookie"};
constexpr std::string_view kHarmless[] = {"user",    "algorithms", "issuer", "audience",  "require",   "leeway", "max_age",    "max_life",   "keys",
                                          "subject", "tls",        "scope",  "token_url", "client_id", "claims", "valid_from", "valid_until"};

bool is_one_of(std::string_view key, std::span<const std::string_view> words) { return std::find(words.begin(), words.end(), key) != words.end(); }

bool holds_secret(std::string_view key) {
  const std::string lower = ascii_lower(key);
  return lower == "value" || is_one_of(lower, kHolders) ||
         std::any_of(std::begin(kTelling), std::end(kTelling), [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

// What stands behind `key`, below a key that holds secrets or not.
bool hides(std::string_view key, bool below) { return below ? !is_one_of(key, kHarmless) : holds_secret(key) && !is_one_of(key, kHarmless); }

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// One scalar of a line at a time, as YAML would cut them, also where the line goes wrong.
class Line {
 public:
  Line(std::string_view text, bool inside) : out_(text), levels_{inside}, hidden_(inside) {}

  std::string hide() {
    while (at_ < out_.size()) {
      const char c = out_[at_];
      if (is_blank(c) || (c == '-' && levels_.size() == 1 && next_is_blank())) {
        ++at_;
      } else if (c == '#' && (at_ == 0 || is_blank(out_[at_ - 1]))) {
        break;
      } else if (c == '{' || c == '[') {
        levels_.push_back(hidden_);
        behind_key_ = false;
        ++at_;
      } else if (c == '}' || c == ']') {
        if (levels_.size() > 1) levels_.pop_back();
        hidden_ = levels_.back();
        behind_key_ = false;
        ++at_;
      } else if (c == ',' && levels_.size() > 1) {
        hidden_ = levels_.back();
        behind_key_ = false;
        ++at_;
      } else {
        scalar();
      }
    }
    return out_;
  }

 private:
  bool next_is_blank() const { return at_ + 1 >= out_.size() || is_blank(out_[at_ + 1]); }

  // Where the scalar that begins here ends; quotes belong to it.
  size_t end() const {
    const char quote = out_[at_];
    size_t i = at_ + 1;
    if (quote == '"' || quote == '\'') {
      for (; i < out_.size(); ++i) {
        const bool doubled = quote == '\'' && out_.compare(i, 2, "''") == 0;
        if (out_[i] == quote && !doubled) break;
        if (doubled || (quote == '"' && out_[i] == '\\')) ++i;
      }
      return std::min(i + 1, out_.size());
    }
    const bool flow = levels_.size() > 1;
    for (i = at_; i < out_.size(); ++i) {
      const char c = out_[i];
      const bool last = i + 1 >= out_.size();
      if (c == ':' && (last || is_blank(out_[i + 1]) || (flow && std::string_view(",{}[]").find(out_[i + 1]) != std::string_view::npos))) break;
      if (c == '#' && i > at_ && is_blank(out_[i - 1])) break;
      if (out_.compare(i, 2, "${") == 0) {  // of a reference
        i = std::min(out_.find('}', i), out_.size() - 1);
        continue;
      }
      if (flow && std::string_view(",{}[]").find(c) != std::string_view::npos) break;
    }
    while (i > at_ && is_blank(out_[i - 1])) --i;
    return std::max(i, at_ + 1);
  }

  void scalar() {
    size_t begin = at_, past = end();
    at_ = past;
    const size_t colon = out_.find_first_not_of(" \t", past);
    const bool quoted = out_[begin] == '"' || out_[begin] == '\'';
    if (quoted) {
      ++begin;
      if (past > begin && out_[past - 1] == out_[begin - 1]) --past;
    }
    const std::string_view text = std::string_view(out_).substr(begin, past - begin);
    // A second ':' is a mistake: what stands in front of it is a value.
    if (!behind_key_ && colon != std::string::npos && out_[colon] == ':') {
      behind_key_ = true;
      hidden_ = hides(text, levels_.back());
      at_ = colon + 1;
    } else if (hidden_ && !(text.starts_with("${") && text.find('}') == text.size() - 1)) {
      stars(begin, past);
    } else if (!hidden_ && text.find("://") != std::string_view::npos) {
      hide_in_url(begin, past);
    }
  }

  // As masked_url(), but every character keeps its place.
  void hide_in_url(size_t begin, size_t past) {
    const size_t query = std::min(out_.find('?', begin), past);
    const size_t user = out_.find("://", begin) + 3, at = out_.rfind('@', query);
    if (at != std::string::npos && at > user) stars(user, at);
    if (query < past) stars(query + 1, past);
  }

  void stars(size_t begin, size_t past) { std::fill(out_.begin() + static_cast<ptrdiff_t>(begin), out_.begin() + static_cast<ptrdiff_t>(past), '*'); }

  std::string out_;
  size_t at_ = 0;
  std::vector<bool> levels_;  // of '{' and '[': whether what stands there is hidden
  bool hidden_;               // the value that comes
  bool behind_key_ = false;   // it comes now
};

struct Indented {
  size_t indent;
  bool item;        // begins with "- "
  std::string key;  // of its first value; empty: none
};

Indented indented(std::string_view line) {
  Indented out{std::min(line.find_first_not_of(" \t"), line.size()), false, {}};
  size_t at = out.indent;
  while (line.substr(at).starts_with("- ")) {
    out.item = true;
    at = std::min(line.find_first_not_of(' ', at + 1), line.size());
  }
  const size_t colon = line.find(':', at);
  if (colon == std::string_view::npos) return out;
  out.key = line.substr(at, colon - at);
  std::erase_if(out.key, [](char c) { return c == '"' || c == '\'' || is_blank(c); });
  return out;
}

}  // namespace

std::string without_secrets(std::string_view line, bool inside) { return Line(line, inside).hide(); }

bool below_secret_key(const std::vector<std::string>& lines, size_t index) {
  if (index >= lines.size()) return false;
  Indented child = indented(lines[index]);
  for (size_t i = index; i-- > 0 && (child.indent > 0 || child.item);) {
    const Indented above = indented(lines[i]);
    const bool empty = above.indent == lines[i].size() || lines[i][above.indent] == '#';
    // A list may stand at the indentation of its key.
    const bool parent = above.indent < child.indent || (above.indent == child.indent && child.item && !above.item);
    if (empty || !parent) continue;
    if (holds_secret(above.key) && !is_one_of(above.key, kHarmless)) return true;
    child = above;
  }
  return false;
}

}  // namespace belay::cli
