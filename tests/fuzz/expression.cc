// Any text as an expression, over any text as a payload (behind the first newline): it compiles or says why at a place inside
// it; what compiles ends within its budget, gives the same result twice, and its value is JSON or an error.
#include "base/bytes.h"
#include "fuzz/input.h"
#include "rules/expression.h"

using namespace belay;
using namespace belay::rules;

namespace {

constexpr size_t kMemory = size_t{1} << 20;
constexpr uint64_t kSteps = 20'000;

class FuzzContext final : public Context {
 public:
  explicit FuzzContext(std::string_view payload) : Context(kMemory), text_(payload) { set_max_steps(kSteps); }
  Value payload() override {
    auto parsed = json::Document::parse(text_);
    if (!parsed) return Value::failed(Fault::unreadable, parsed.error().message, arena());
    document_ = std::move(parsed).value();
    return Value::json(*document_, document_->root());
  }
  Value variable(Variable) override { return Value::bytes(text_); }

 private:
  std::string_view text_;
  std::unique_ptr<const json::Document> document_;
};

std::string result_of(const Expression& expression, std::string_view payload) {
  FuzzContext context(payload);
  const Value value = expression.run(context);
  BELAY_CHECK(context.arena().used() <= kMemory);
  if (value.is_error()) {
    BELAY_CHECK(!expression.explain_with_caret(value.failure()).empty());
    return std::string(value.failure().message);
  }
  const auto json = value.to_json();
  const auto text = value.to_text();
  if (!json) return json.error().message;
  // Bytes of $raw need not be UTF-8; everything else that reads as JSON is JSON.
  if (is_utf8(*json)) {
    const auto again = json::Document::parse(*json, {.depth = 1000});
    BELAY_CHECK(again.ok() || again.error().message.find("duplicate member") != std::string::npos);
  }
  return *json;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input = fuzz::text(data, size);
  const size_t newline = std::min(input.find('\n'), input.size());
  const std::string_view payload = newline == input.size() ? "{}" : input.substr(newline + 1);
  conf::Problems problems;
  const auto expression = Expression::compile(input.substr(0, newline), {"fuzz", 1, 1}, Names::signature(), problems);
  BELAY_CHECK((expression == nullptr) == !problems.empty());
  if (expression == nullptr) {
    for (const conf::Problem& problem : problems.all()) {
      BELAY_CHECK(problem.position.line >= 1 && problem.position.column >= 1 && problem.position.column <= static_cast<int>(newline) + 1);
    }
    return 0;
  }
  const bool random = input.find("uuid") != std::string_view::npos;
  const std::string first = result_of(*expression, payload);
  BELAY_CHECK(random || first == result_of(*expression, payload));
  return 0;
}
