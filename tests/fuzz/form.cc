// Any text as a form: its names are distinct and in order, every name has as many values as pairs carry it, and together they
// are all pairs; or the reason says that it is not UTF-8.
#include <set>
#include <string>

#include "fuzz/input.h"
#include "http/url.h"
#include "payload/payload.h"

using namespace belay;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input = fuzz::text(data, size);
  const http::Fields fields;
  const payload::Options options;
  rules::Arena arena;
  payload::Payload payload(fields, input, options);
  const rules::Value form = payload.form(arena);
  if (form.is_error()) {
    BELAY_CHECK(form.failure().fault == rules::Fault::unreadable);
    return 0;
  }
  const rules::Table& table = form.as_table();
  std::set<std::string> names;
  size_t values = 0;
  for (size_t i = 0; i < table.size(); ++i) {
    const std::string_view name = table.name_at(i);
    BELAY_CHECK(names.emplace(name).second);
    rules::Value first;
    BELAY_CHECK(table.find(name, arena, first));
    const rules::Value all = table.all(name, arena);
    if (all.is_error()) return 0;  // the arena is full
    BELAY_CHECK(!all.items().empty() && all.items()[0].text() == first.text());
    values += all.items().size();
  }
  BELAY_CHECK(values == http::count_form_fields(input));
  return 0;
}
