// What the tests of rules/ share: a request to evaluate against, and one-line evaluation.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "json/document.h"
#include "rules/expression.h"
#include "rules/template.h"

namespace belay::rules_test {

using namespace belay::rules;

// Names in any case, like $headers.
class Headers final : public Table {
 public:
  bool find(std::string_view name, Arena& arena, Value& out) const override;
  Value all(std::string_view name, Arena& arena) const override;
  size_t size() const override { return 2; }
  std::string_view name_at(size_t i) const override { return i == 0 ? "X-Event" : "X-Many"; }
};

class Secrets final : public Table {
 public:
  bool find(std::string_view name, Arena& arena, Value& out) const override;
};

class Request final : public Context {
 public:
  explicit Request(std::string payload = "{}") : text_(std::move(payload)) {}
  Request(std::string payload, size_t memory) : Context(memory), text_(std::move(payload)) {}
  Value payload() override;
  Value variable(Variable name) override;
  bool path_part(std::string_view name, Value& out) override;

  int parses = 0;
  int variables = 0;  // calls of variable()

 private:
  std::string text_;
  Headers headers_;
  Secrets secrets_;
  std::unique_ptr<const json::Document> document_;
};

// The JSON of the result, "error: …" when the evaluation fails, "refused: …" when it does not compile.
std::string eval(std::string_view expression, std::string_view payload = "{}");
std::string render(std::string_view text, std::string_view payload = "{}", Template::Escape escape = Template::Escape::none);
// All problems of compiling, as `belay check` shows them.
std::string problems(std::string_view expression, const Names& names = Names::request(), Want want = Want::any);

}  // namespace belay::rules_test
