#include <stdlib.h>

#include "kit.h"

using namespace belay;
using namespace belay::test;

TEST_CASE("the_example_in_every_modules_readme_loads") {
  setenv("HOOK_SECRET", "only for tests", 1);
  const std::string mark = "```yaml\n";
  for (const pipeline::Module& module : modules::all()) {
    const std::string path = source_folder() + "/modules/" + std::string(module.key) + "/README.md";
    INFO(path);
    const std::string text = read_text(path);
    const size_t begin = text.find(mark);
    REQUIRE_NE(begin, std::string::npos);
    const size_t end = text.find("```", begin + mark.size());
    const Kit kit(text.substr(begin + mark.size(), end - begin - mark.size()), nullptr, "admin: { token: t }\n",
                  {{"schemas/order.json", "{}"}, {"schemas/event.json", "{}"}});
    CHECK_MESSAGE(kit.built(), kit.problems());
  }
}
