// What an expression may read, and how it gets there. The owner of a request derives from Context; an expression asks only for
// what it names, when it needs it. Base members: the arena that results live in and the limits of work. One request, one thread.
//
//   class RequestContext final : public rules::Context {
//     Value payload() override;                 // parse once, on the first call
//     Value variable(Variable name) override;   // $method, $headers, …
//   };
#pragma once

#include <cstdint>
#include <string_view>

#include "rules/arena.h"
#include "rules/value.h"

namespace belay::rules {

// The names that begin with '$'. `body` is the payload itself.
enum class Variable : uint8_t {
  body, raw, form, method, path, url, host, query, headers, client, source, event, ts, secret, now,
  param, item, signature,
};
constexpr int kVariables = 18;
std::string_view to_string(Variable variable);  // "$body"
// Those that exist only while a signature is checked or made.
constexpr Variable kSignatureVariables[] = {Variable::ts, Variable::secret, Variable::param, Variable::item, Variable::signature};

class Context {
 public:
  // Steps of one evaluation: an operator is one, loops and functions add what they touch. About 10 ns each.
  static constexpr uint64_t kMaxSteps = 2'000'000;

  Context() = default;
  explicit Context(size_t memory_limit) : arena_(memory_limit) {}
  virtual ~Context() = default;

  // The decoded payload: Value::json(document, document.root()), a map made of a form or XML, or
  // failed(Fault::unreadable, "payload is not JSON: …"). Asked once; kept.
  virtual Value payload() = 0;
  // Everything else by name. Usual kinds: $raw bytes; $method $path $url $host $source $ts string; $form $query $headers
  // $client $event $secret $param $signature Value::table; $now timestamp; $item anything. Only asked for variables that Names allowed.
  virtual Value variable(Variable name) = 0;
  // $path.tenant: a part of match.path, percent-decoded. False: no such key.
  virtual bool path_part(std::string_view name, Value& out);
  // Names::declared by index (tools and tests).
  virtual Value declared(size_t index);

  Arena& arena() { return arena_; }
  uint64_t max_steps() const { return max_steps_; }
  void set_max_steps(uint64_t steps) { max_steps_ = steps; }

  // payload(), asked once.
  const Value& root() {
    if (!asked_) {
      root_ = payload();
      asked_ = true;
    }
    return root_;
  }

 private:
  Arena arena_;
  Value root_;
  bool asked_ = false;
  uint64_t max_steps_ = kMaxSteps;
};

}  // namespace belay::rules
