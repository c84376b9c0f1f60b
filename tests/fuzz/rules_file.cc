// A rules file of any bytes: it is read or refused with a problem, every node can be walked, typed readers and secrets
// judge whatever stands there, and units that are accepted read the same again.
#include "conf/section.h"
#include "fuzz/input.h"

using namespace belay;
using namespace belay::conf;

namespace {

constexpr Setting kSettings[] = {
    {.key = "a", .type = Type::text, .required = true},
    {.key = "b", .type = Type::boolean, .fallback = "true"},
    {.key = "i", .type = Type::integer, .fallback = "1", .range = "0..10"},
    {.key = "n", .type = Type::number, .fallback = "50%", .range = "..1"},
    {.key = "d", .type = Type::duration, .fallback = "1s", .range = "1s.."},
    {.key = "s", .type = Type::size, .fallback = "1KB", .range = "1KB..1GB"},
    {.key = "r", .type = Type::rate, .fallback = "1/s"},
    {.key = "x", .type = Type::secrets},
    {.key = "w", .type = Type::text, .fallback = "one", .range = "one|two"},
};

size_t walk(const Node& node, int depth) {
  BELAY_CHECK(depth <= Document::kMaxDepth + 1);
  BELAY_CHECK(node.position().line >= 1 && node.position().column >= 1);
  size_t bytes = node.path().size() + node.text().size();
  for (const Node& item : node.items()) bytes += walk(item, depth + 1);
  for (const Entry& entry : node.entries()) {
    BELAY_CHECK(node.at(entry.key).present());
    bytes += entry.key.size() + walk(entry.value, depth + 1);
  }
  return bytes;
}

void read_settings(const Node& node) {
  Problems problems;
  // An environment of its own and a folder that does not exist: inputs cannot reach real secrets.
  const SecretSource secrets{"/nonexistent/fuzz", [](const std::string& name) { return std::optional(name); }};
  const Section section(node, kSettings, problems, &secrets);
  (void)section.text("a");
  (void)section.texts("a");
  (void)section.boolean("b");
  (void)section.integer("i");
  (void)section.number("n");
  (void)section.duration("d");
  (void)section.size("s");
  (void)section.rate("r");
  for (const SecretValue& secret : section.secrets("x")) BELAY_CHECK(!secret.value.empty());
  BELAY_CHECK(problems.empty() == problems.to_string().empty());
}

void read_units(std::string_view text) {
  if (const auto duration = parse_duration(text)) {
    BELAY_CHECK(parse_duration(std::to_string(duration->count()) + "ms")->count() == duration->count());
  }
  if (const auto size = parse_size(text)) BELAY_CHECK(*parse_size(std::to_string(*size)) == *size);
  if (const auto rate = parse_rate(text)) BELAY_CHECK(rate->per_second > 0);
  (void)parse_number(text);
  (void)parse_time(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = belay::fuzz::text(data, size);
  read_units(text);
  Problems problems;
  const auto document = Document::parse(text, "fuzz.yaml", problems);
  BELAY_CHECK(document != nullptr || !problems.empty());
  if (!document) return 0;
  (void)walk(document->root(), 1);
  read_settings(document->root());
  return 0;
}
