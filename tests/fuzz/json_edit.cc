// Any text as changes and a JSON text: the changes stand in the lines before the first that begins with a brace or bracket
// ("s PATH", "d PATH", "k PATH", "r NAME PATH"). What they make of it is JSON again; no changes change nothing.
#include <algorithm>
#include <vector>

#include "fuzz/input.h"
#include "json/edit.h"

using namespace belay;

namespace {

Result<void> add(json::Edit& edit, std::string_view line, size_t& sets) {
  const char kind = line.empty() ? ' ' : line.front();
  std::string_view rest = line.substr(std::min<size_t>(2, line.size()));
  if (kind == 's') ++sets;
  switch (kind) {
    case 's': return edit.set(rest);
    case 'd': return edit.remove(rest);
    case 'k': return edit.keep(rest);
    default: break;
  }
  const size_t blank = std::min(rest.find(' '), rest.size());
  return edit.rename(rest.substr(std::min(blank + 1, rest.size())), rest.substr(0, blank));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input = fuzz::text(data, size);
  json::Edit edit;
  size_t sets = 0, changes = 0;
  while (!input.empty() && input.front() != '{' && input.front() != '[') {
    const size_t end = std::min(input.find('\n'), input.size());
    if (!add(edit, input.substr(0, end), sets)) return 0;
    ++changes;
    input.remove_prefix(std::min(end + 1, input.size()));
  }
  if (!edit.finish()) return 0;
  const auto document = json::Document::parse(input);
  if (!document) return 0;
  const std::vector<std::string_view> values(sets, R"({"set": 1.0})");
  for (const auto absent : {json::Edit::Absent::ignore, json::Edit::Absent::refuse}) {
    std::string out;
    if (!edit.apply(**document, values, absent, out)) continue;
    if (changes == 0) BELAY_CHECK(out == (*document)->text());
    BELAY_CHECK(out.size() > size_t{64} << 10 || json::Document::parse(out, {.depth = 200}).ok());
  }
  return 0;
}
