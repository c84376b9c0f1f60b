// Runs cases that convert.mjs made through the rules language and compares results as text: "i7", "u7", "d" and the double's bits,
// "s" and "b" with base64, lists in [], maps in {} sorted, "t" timestamp, "D" duration, "T" type, "error".
//
//   interop-cel-run CASES EXCEPTIONS
//
// EXCEPTIONS holds "passed N" and lines "file/section/name: why Belay differs". Exit 1 when a case fails that is not named there,
// one that is named there passes, or fewer than N pass.
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "json/document.h"
#include "rules/expression.h"
#include "rules/moment.h"

using namespace belay;
using rules::Kind;
using rules::Value;

namespace {

class Bindings final : public rules::Context {
 public:
  std::vector<Value> values;
  Value payload() override { return {}; }
  Value variable(rules::Variable) override { return {}; }
  Value declared(size_t index) override { return values[index]; }
};

std::string text_of_real(double value) {
  if (std::isnan(value)) return "dNaN";
  if (std::isinf(value)) return value < 0 ? "d-Infinity" : "dInfinity";
  std::array<char, 24> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "d%016llx", __builtin_bit_cast(unsigned long long, value));
  return buffer.data();
}

std::string written(const Value& value) {
  switch (value.kind()) {
    case Kind::error: return "error";
    case Kind::null: return "null";
    case Kind::boolean: return value.as_boolean() ? "true" : "false";
    case Kind::integer: return "i" + std::to_string(value.as_integer());
    case Kind::uinteger: return "u" + std::to_string(value.as_uinteger());
    case Kind::real: return text_of_real(value.as_real());
    case Kind::string: return "s" + base64_encode(value.text());
    case Kind::bytes: return "b" + base64_encode(value.text());
    case Kind::timestamp: return "t" + *value.to_text();
    case Kind::duration: return "D" + *value.to_text();
    case Kind::type: return "T" + std::string(to_string(value.as_type()));
    case Kind::optional: return value.inside() != nullptr ? "optional " + written(*value.inside()) : "none";
    case Kind::list: {
      std::string out = "[";
      for (const Value& item : value.items()) out += (out.size() > 1 ? "," : "") + written(item);
      return out + "]";
    }
    case Kind::map: {
      std::map<std::string, std::string> members;
      for (const rules::Entry& entry : value.entries()) members[written(entry.key)] = written(entry.value);
      std::string out = "{";
      for (const auto& [key, member] : members) out += (out.size() > 1 ? "," : "") + key + ":" + member;
      return out + "}";
    }
  }
  return "?";
}

template <typename Number>
Number number(std::string_view text) {
  Number value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Value build(const json::Document& document, json::Ref ref, rules::Arena& arena);

Value build_list(const json::Document& document, json::Ref ref, rules::Arena& arena) {
  Value* items = arena.array<Value>(document.size(ref));
  size_t count = 0;
  for (json::Ref item = document.first(ref); item != json::kNone; item = document.next(ref, item)) items[count++] = build(document, item, arena);
  return Value::list({items, count});
}

Value build_map(const json::Document& document, json::Ref ref, rules::Arena& arena) {
  rules::Entry* entries = arena.array<rules::Entry>(document.size(ref));
  size_t count = 0;
  for (json::Ref pair = document.first(ref); pair != json::kNone; pair = document.next(ref, pair)) {
    entries[count].key = build(document, document.at(pair, 0), arena);
    entries[count++].value = build(document, document.at(pair, 1), arena);
  }
  return Value::map({entries, count});
}

// {"i": "1"} and its like.
Value build(const json::Document& document, json::Ref ref, rules::Arena& arena) {
  const json::Ref key = document.first(ref), content = json::Document::value_of(key);
  std::string scratch, text_scratch;
  const char tag = document.string(key, scratch).front();
  if (tag == 'l') return build_list(document, content, arena);
  if (tag == 'm') return build_map(document, content, arena);
  const std::string_view text = document.string(content, text_scratch);
  switch (tag) {
    case 'i': return Value::integer(number<int64_t>(text));
    case 'u': return Value::uinteger(number<uint64_t>(text));
    case 'd': return Value::real(number<double>(text));
    case 's': return Value::copy_string(text, arena);
    case 'b': return Value::copy_bytes(base64_decode(text).value_or(""), arena);
    case 'B': return Value::boolean(text == "true");
    case 't': return Value::timestamp(rules::parse_timestamp(text).value_or(rules::Moment{}));
    case 'D': return Value::duration(rules::parse_duration(text).value_or(rules::Moment{}));
    default: return {};
  }
}

struct Case {
  std::string file, name, expression, want, why_out;
  bool check = true;
};

std::string member(const json::Document& document, std::string_view key) {
  const json::Ref ref = document.find(document.root(), key);
  std::string scratch;
  return ref == json::kNone ? std::string() : std::string(document.string(ref, scratch));
}

Case read(const json::Document& document) {
  return {member(document, "file"), member(document, "name"), member(document, "expr"), member(document, "want"), member(document, "out"),
          member(document, "check") != "false"};
}

// The result as text; `detail` says why it is an error.
std::string evaluate(const Case& one, const json::Document& document, std::string& detail) {
  rules::Names names;
  names.payload = false;
  names.check = one.check;
  Bindings context;
  const json::Ref bindings = document.find(document.root(), "bindings");
  for (json::Ref at = bindings == json::kNone ? bindings : document.first(bindings); at != json::kNone; at = document.next(bindings, at)) {
    std::string scratch;
    names.declared.emplace_back(document.string(at, scratch));
    context.values.push_back(build(document, json::Document::value_of(at), context.arena()));
  }
  conf::Problems problems;
  const auto expression = rules::Expression::compile(one.expression, {one.name, 1, 1}, names, problems);
  if (expression == nullptr) {
    detail = problems.to_string();
    return "error";
  }
  const Value value = expression->run(context);
  if (value.is_error()) detail = value.failure().message;
  return written(value);
}

struct Exceptions {
  int passed = 0;
  std::map<std::string, std::string> why;
};

bool read_exceptions(const char* path, Exceptions& exceptions) {
  std::ifstream in(path);
  std::string line;
  while (std::getline(in, line)) {
    if (line.empty() || line.front() == '#') continue;
    if (line.starts_with("passed ")) {
      exceptions.passed = number<int>(std::string_view(line).substr(7));
      continue;
    }
    const size_t colon = line.find(": ");
    if (colon == std::string::npos) return false;
    exceptions.why[line.substr(0, colon)] = line.substr(colon + 2);
  }
  return exceptions.passed > 0;
}

struct Score {
  int passed = 0, in_scope = 0;
  std::map<std::string, int> out;
};

class Run {
 public:
  explicit Run(Exceptions exceptions) : exceptions_(std::move(exceptions)) {}

  bool line(const std::string& text) {
    const auto parsed = json::Document::parse(text);
    if (!parsed) return false;
    const json::Document& document = **parsed;
    const Case one = read(document);
    Score& score = scores_[one.file];
    if (!one.why_out.empty()) {
      ++score.out[one.why_out];
      return true;
    }
    std::string detail;
    const std::string got = evaluate(one, document, detail);
    const auto excepted = exceptions_.why.find(one.name);
    ++score.in_scope;
    if (got == one.want) {
      ++score.passed;
      if (excepted != exceptions_.why.end()) complain(one.name + " passes: take it off the exceptions");
      return true;
    }
    ++differs_;
    if (excepted == exceptions_.why.end()) {
      complain(one.name + "\n  expression " + one.expression + "\n  wanted     " + one.want + "\n  is         " + got + " " + detail);
    }
    return true;
  }

  int finish() {
    Score total;
    std::printf("%-18s %6s %9s  out\n", "file", "passed", "in scope");
    for (const auto& [file, score] : scores_) {
      print(file, score);
      total.passed += score.passed;
      total.in_scope += score.in_scope;
      for (const auto& [why, count] : score.out) total.out[why] += count;
    }
    print("all", total);
    std::map<std::string, int> reasons;
    for (const auto& [name, why] : exceptions_.why) ++reasons[why];
    for (const auto& [why, count] : reasons) std::printf("differs on purpose: %d: %s\n", count, why.c_str());
    if (differs_ != static_cast<int>(exceptions_.why.size())) complain("exceptions.txt names cases that do not exist, or not all that differ");
    if (total.passed < exceptions_.passed) complain("fewer passed than the " + std::to_string(exceptions_.passed) + " on record");
    return failures_ == 0 ? 0 : 1;
  }

 private:
  static void print(const std::string& file, const Score& score) {
    std::string out;
    for (const auto& [why, count] : score.out) out += (out.empty() ? "" : "; ") + std::to_string(count) + " " + why;
    std::printf("%-18s %6d %9d  %s\n", file.c_str(), score.passed, score.in_scope, out.c_str());
  }
  void complain(const std::string& what) {
    ++failures_;
    std::printf("FAILED: %s\n", what.c_str());
  }

  Exceptions exceptions_;
  std::map<std::string, Score> scores_;
  int differs_ = 0, failures_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: interop-cel-run CASES EXCEPTIONS\n";
    return 2;
  }
  Exceptions exceptions;
  if (!read_exceptions(argv[2], exceptions)) {
    std::cerr << argv[2] << ": expected 'passed N' and lines 'name: why'\n";
    return 2;
  }
  Run run(std::move(exceptions));
  std::ifstream in(argv[1]);
  std::string line;
  while (std::getline(in, line)) {
    if (run.line(line)) continue;
    std::cerr << argv[1] << ": not JSON: " << line << "\n";
    return 2;
  }
  return run.finish();
}
