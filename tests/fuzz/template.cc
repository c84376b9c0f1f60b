// Any text as a template: it compiles or says why; text without holes comes out as it went in; rendering ends within its budget
// and every form of escaping keeps the rest of the text.
#include "fuzz/input.h"
#include "rules/template.h"

using namespace belay;
using namespace belay::rules;

namespace {

class FuzzContext final : public Context {
 public:
  FuzzContext() : Context(size_t{1} << 20) { set_max_steps(20'000); }
  Value payload() override {
    auto parsed = json::Document::parse(R"({"a":{"b":[1,2.50,"x\u00e9<&>\""]},"n":12345678901234567890123,"s":"text"})");
    BELAY_CHECK(parsed.ok());
    document_ = std::move(parsed).value();
    return Value::json(*document_, document_->root());
  }
  Value variable(Variable) override { return Value::string("value"); }

 private:
  std::unique_ptr<const json::Document> document_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input = fuzz::text(data, size);
  for (const auto escape : {Template::Escape::none, Template::Escape::json, Template::Escape::xml, Template::Escape::form, Template::Escape::url}) {
    conf::Problems problems;
    const auto compiled = Template::compile(input, {"fuzz", 1, 1}, Names::signature(), problems, escape);
    BELAY_CHECK((compiled == nullptr) == !problems.empty());
    if (compiled == nullptr) return 0;
    FuzzContext context;
    const auto text = compiled->render(context);
    const Value value = compiled->run(context);
    if (compiled->is_constant()) BELAY_CHECK(text.ok() && *text == input);
    if (!compiled->is_single() && input.find("uuid") == std::string_view::npos && text.ok() && !value.is_error()) {
      BELAY_CHECK(value.text() == *text);
    }
  }
  return 0;
}
