#include "modules/match/paths.h"

#include <xxhash.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "http/chars.h"
#include "http/url.h"

namespace belay::modules {

namespace {

bool is_capture_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

// Escapes decoded, what is not one kept as it stands.
void decode_escapes(std::string& text) {
  size_t to = text.find('%');
  for (size_t from = to; from < text.size(); ++from, ++to) {
    text[to] = text[from];
    if (text[from] != '%' || text.size() - from < 3) continue;
    const int high = http::hex_value(text[from + 1]), low = http::hex_value(text[from + 2]);
    if (high < 0 || low < 0) continue;
    text[to] = static_cast<char>(high * 16 + low);
    from += 2;
  }
  if (to < text.size()) text.resize(to);
}

bool is_plain(std::string_view path) {
  if (!path.starts_with('/') || (path.size() > 1 && path.back() == '/')) return false;
  char before = 0;
  for (const char c : path) {
    if (c == '%' || c == ';' || c == '\\' || (c >= 'A' && c <= 'Z') || (c == '/' && before == '/')) return false;
    before = c;
  }
  return true;
}

bool has_control_byte(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

}  // namespace

Result<PathPattern> PathPattern::parse(std::string_view text) {
  PathPattern pattern;
  pattern.text = text;
  if (!text.starts_with('/')) return invalid("a path starts with '/'");
  if (text.find('?') != std::string_view::npos) return invalid("a path has no query: match it with filter");
  if (text.ends_with("/*")) {
    pattern.prefix = true;
    text.remove_suffix(2);
  }
  if (!text.empty()) {
    for (const std::string_view segment : split(text.substr(1), '/')) {
      const size_t index = pattern.segments.size();
      if (segment.starts_with('{') && segment.ends_with('}')) {
        const std::string_view name = segment.substr(1, segment.size() - 2);
        if (!is_capture_name(name)) return invalid("a capture is {name} with letters, digits and '_'");
        for (const auto& capture : pattern.captures) {
          if (capture.second == name) return invalid("capture {" + std::string(name) + "} stands twice");
        }
        pattern.captures.emplace_back(index, name);
        pattern.segments.emplace_back();
        continue;
      }
      if (segment.find_first_of("{}*") != std::string_view::npos) {
        return invalid("'{', '}' and '*' stand for a whole segment: /a/{name}/b or /a/*");
      }
      pattern.segments.emplace_back(segment);
    }
  }
  if (pattern.segments.size() > kMaxSegments) return invalid("a path has at most 32 segments");
  if (const char* refusal = path_refusal(text))
    return invalid(std::string("requests with this path are refused: ") + refusal);
  return pattern;
}

std::string PathPattern::shape() const {
  std::string shape;
  for (size_t i = 0; i < segments.size(); ++i) {
    const bool capture = std::any_of(captures.begin(), captures.end(), [&](const auto& c) { return c.first == i; });
    shape += '/';
    shape += capture ? "{}" : segments[i];
  }
  return prefix ? shape + "/*" : shape;
}

PathPattern PathPattern::plain() const {
  PathPattern out;
  out.prefix = prefix;
  auto capture = captures.begin();
  std::string room;
  for (size_t i = 0; i < segments.size(); ++i) {
    if (capture != captures.end() && capture->first == i) {
      out.captures.emplace_back(out.segments.size(), (capture++)->second);
      out.segments.emplace_back();
      continue;
    }
    for (const std::string_view segment : split(plain_path(segments[i], room), '/')) {
      if (!segment.empty()) out.segments.emplace_back(segment);
    }
  }
  out.text = out.segments.empty() ? "/" : out.shape();
  return out;
}

struct PathTable::Node {
  std::unordered_map<std::string, std::unique_ptr<Node>, Hash, std::equal_to<>> literals;
  std::unique_ptr<Node> capture;
  uint32_t whole = kNone;   // a pattern ends here
  uint32_t prefix = kNone;  // a prefix ends here

  // The pattern that takes the whole of `path` from `begin` (a '/' or the end); the deepest prefix passed on the way is
  // kept.
  uint32_t find(std::string_view path, size_t begin, size_t depth, uint32_t& best_prefix, size_t& best_depth) const {
    if (begin == path.size()) return whole;
    if (prefix != kNone && (best_prefix == kNone || depth > best_depth)) {
      best_prefix = prefix;
      best_depth = depth;
    }
    if (depth == PathPattern::kMaxSegments) return kNone;
    const size_t end = std::min(path.find('/', begin + 1), path.size());
    const std::string_view segment = path.substr(begin + 1, end - begin - 1);
    if (const auto next = literals.find(segment); next != literals.end()) {
      const uint32_t found = next->second->find(path, end, depth + 1, best_prefix, best_depth);
      if (found != kNone) return found;
    }
    if (capture != nullptr && !segment.empty()) return capture->find(path, end, depth + 1, best_prefix, best_depth);
    return kNone;
  }
};

size_t PathTable::Hash::operator()(std::string_view text) const {
  return XXH3_64bits(text.data(), text.size());
}

PathTable::PathTable() = default;
PathTable::~PathTable() = default;
PathTable::PathTable(PathTable&&) noexcept = default;

void PathTable::add(const PathPattern& pattern, uint32_t slot) {
  if (pattern.exact()) {
    BELAY_CHECK(exact_.emplace(pattern.text, slot).second);
    return;
  }
  if (!root_) root_ = std::make_unique<Node>();
  Node* node = root_.get();
  auto capture = pattern.captures.begin();
  for (size_t i = 0; i < pattern.segments.size(); ++i) {
    const bool is_capture = capture != pattern.captures.end() && capture->first == i;
    auto& next = is_capture ? node->capture : node->literals[pattern.segments[i]];
    if (is_capture) ++capture;
    if (!next) next = std::make_unique<Node>();
    node = next.get();
  }
  uint32_t& end = pattern.prefix ? node->prefix : node->whole;
  BELAY_CHECK(end == kNone);
  end = slot;
}

uint32_t PathTable::find_exact(std::string_view path) const {
  const auto found = exact_.find(path);
  return found == exact_.end() ? kNone : found->second;
}

uint32_t PathTable::find(std::string_view path) const {
  const uint32_t exact = find_exact(path);
  return exact == kNone ? find_pattern(path) : exact;
}

uint32_t PathTable::find_pattern(std::string_view path) const {
  if (!root_ || !path.starts_with('/')) return kNone;
  uint32_t prefix = kNone;
  size_t depth = 0;
  const uint32_t whole = root_->find(path, 0, 0, prefix, depth);
  return whole != kNone ? whole : prefix;
}

std::string_view segment_at(std::string_view path, size_t index) {
  size_t begin = 1;
  for (; index > 0; --index) begin = path.find('/', begin) + 1;
  return path.substr(begin, std::min(path.find('/', begin), path.size()) - begin);
}

std::string_view plain_path(std::string_view path, std::string& room) {
  if (is_plain(path)) return path;
  std::string decoded(path);
  decode_escapes(decoded);
  decode_escapes(decoded);
  room.clear();
  for (std::string_view rest = decoded; !rest.empty();) {
    const size_t end = std::min(rest.find_first_of("/\\"), rest.size());
    const std::string_view segment = rest.substr(0, std::min(end, rest.find(';')));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (segment.empty()) continue;
    room += '/';
    for (const char c : segment) room += ascii_lower(c);
  }
  if (room.empty()) room = "/";
  return room;
}

const char* path_refusal(std::string_view path) {
  if (path.find_first_of("%.") == std::string_view::npos) return nullptr;
  if (path.find('%') != std::string_view::npos && !http::percent_decode(path)) return "broken percent-encoding";
  std::string room;
  const std::string_view plain = plain_path(path, room);
  if (has_control_byte(plain)) return "control byte";
  return http::has_dot_segments(plain) ? "dot segment" : nullptr;
}

}  // namespace belay::modules
