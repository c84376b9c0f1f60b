#include "conf/section.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"

namespace belay::conf {

namespace {

constexpr Setting kNone{};

std::string quoted(std::string_view text) {
  return "'" + printable(text, 60) + "'";
}

std::string in(const Node& node) {
  return node.path().empty() ? "" : " in " + printable(node.path(), 120);
}

std::string joined(std::span<const std::string_view> words, std::string_view last) {
  std::string out;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? last : ", ";
    out += words[i];
  }
  return out;
}

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::missing: return "missing";
    case Kind::null: return "nothing";
    case Kind::scalar: return "a single value";
    case Kind::list: return "a list";
    case Kind::map: return "a mapping";
  }
  return "";
}

// What a range compares: the value in its smallest unit.
Result<double> measure(Type type, std::string_view text) {
  const auto as_double = [](auto result) -> Result<double> {
    if (!result) return result.error();
    return static_cast<double>(*result);
  };
  switch (type) {
    case Type::duration: {
      const auto value = parse_duration(text);
      if (!value) return value.error();
      return static_cast<double>(value->count());
    }
    case Type::size: return as_double(parse_size(text));
    case Type::rate: {
      const auto value = parse_rate(text);
      if (!value) return value.error();
      return value->per_second;
    }
    case Type::integer: {
      const bool negative = text.starts_with('-');
      const auto value = parse_u64(negative ? text.substr(1) : text);
      if (!value || *value > uint64_t{1} << 53)
        return invalid(quoted(text) + " is not a whole number; write digits, for example 20");
      return negative ? -static_cast<double>(*value) : static_cast<double>(*value);
    }
    case Type::boolean:
      if (text == "true" || text == "false") return text == "true" ? 1.0 : 0.0;
      return invalid(quoted(text) + " is not true or false");
    default: return parse_number(text);
  }
}

bool measured(Type type) {
  return type == Type::boolean || type == Type::integer || type == Type::number || type == Type::duration ||
         type == Type::size || type == Type::rate;
}

std::string boolean_hint(std::string_view text) {
  const std::string word = ascii_lower(text);
  if (word == "yes" || word == "on" || word == "1" || word == "true") return "write true";
  if (word == "no" || word == "off" || word == "0" || word == "false") return "write false";
  return "write true or false";
}

// "1..100", "1s..", "..64KB".
void check_range(const Setting& setting, const Node& node, double value, Problems& problems) {
  const size_t dots = setting.range.find("..");
  BELAY_CHECK_NOTE(dots != std::string_view::npos, "a range in a settings table is LOW..HIGH");
  const std::string_view low = setting.range.substr(0, dots), high = setting.range.substr(dots + 2);
  const std::string key(setting.key);
  if (!low.empty() && value < *measure(setting.type, low)) {
    problems.add(node.position(), key + " is " + quoted(node.text()) + ", less than " + std::string(low),
                 "write " + std::string(low) + (high.empty() ? " or more" : " to " + std::string(high)));
  }
  if (!high.empty() && value > *measure(setting.type, high)) {
    problems.add(node.position(), key + " is " + quoted(node.text()) + ", more than " + std::string(high),
                 "write " + (low.empty() ? "at most " : std::string(low) + " to ") + std::string(high));
  }
}

// "a|b|c".
void check_word(const Setting& setting, const Node& node, Problems& problems) {
  const auto words = split(setting.range, '|');
  if (std::find(words.begin(), words.end(), node.text()) != words.end()) return;
  const std::string meant = nearest(node.text(), words);
  problems.add(node.position(), std::string(setting.key) + " cannot be " + quoted(node.text()),
               (meant.empty() ? "" : "did you mean '" + meant + "'? ") + "write " + joined(words, " or "));
}

void check_scalar(const Setting& setting, const Node& node, Problems& problems) {
  if (measured(setting.type)) {
    const auto value = measure(setting.type, node.text());
    if (!value) {
      problems.add(node.position(), value.error().message,
                   setting.type == Type::boolean ? boolean_hint(node.text()) : "");
    } else if (!setting.range.empty()) {
      check_range(setting, node, *value, problems);
    }
  } else if (!setting.range.empty()) {
    check_word(setting, node, problems);
  }
}

void must_be(const Setting& setting, const Node& node, std::string_view what, Problems& problems) {
  problems.add(node.position(), std::string(setting.key) + " must be " + std::string(what) + ", not " +
                                    std::string(name_of(node.kind())));
}

void check_value(const Setting& setting, const Node& node, Problems& problems) {
  if (setting.type == Type::node) return;
  if (node.kind() == Kind::null) {
    problems.add(node.position(), std::string(setting.key) + " has no value", "write one, or remove the key");
    return;
  }
  if (setting.type == Type::secrets) return;  // read_secret judges every shape
  if (node.is_scalar()) return check_scalar(setting, node, problems);
  // texts() reads lists of these; text() refuses them.
  if (node.is_list() && (setting.type == Type::text || setting.type == Type::expression)) {
    for (const Node& item : node.items()) {
      if (!item.is_scalar()) {
        problems.add(item.position(),
                     std::string(setting.key) + " must hold single values, not " + std::string(name_of(item.kind())));
      } else {
        check_scalar(setting, item, problems);
      }
    }
    return;
  }
  must_be(setting, node, measured(setting.type) ? "a single value" : "text", problems);
}

// Gives the known keys that mistyped ones stand for: they are not missing as well.
std::vector<std::string> check_keys(const Node& node, std::span<const Setting> settings, Problems& problems) {
  std::vector<std::string> slipped;
  std::vector<std::string_view> known;
  known.reserve(settings.size());
  for (const Setting& setting : settings) known.push_back(setting.key);
  for (const Entry& entry : node.entries()) {
    if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
    const std::string meant = nearest(entry.key, known);
    problems.add(entry.key_position, "unknown key " + quoted(entry.key) + in(node),
                 meant.empty() ? "known keys: " + joined(known, ", ") : "did you mean '" + meant + "'?");
    if (!meant.empty()) slipped.push_back(meant);
  }
  return slipped;
}

// "limits: { body: 5MB }": how a mapping of these keys begins.
std::string mapping_example(const std::string& path, std::span<const Setting> settings) {
  const auto shows = [](const Setting& setting) { return !setting.example.empty() || !setting.fallback.empty(); };
  const auto found = std::find_if(settings.begin(), settings.end(), shows);
  const std::string name = path.substr(path.rfind('.') + 1);  // npos + 1 is 0
  if (found == settings.end() || name.empty() || name.ends_with(']')) return "its keys as 'key: value', one a line";
  return name + ": { " + std::string(found->key) + ": " + std::string(found->example.empty() ? found->fallback : found->example) + " }, or its keys below it, indented";
}

}  // namespace

Section::Section(const Node& node, std::span<const Setting> settings, Problems& problems, const SecretSource* secrets)
    : node_(node), settings_(settings), problems_(problems), secrets_(secrets) {
  if (node.present() && !node.is_map() && node.kind() != Kind::null) {
    const std::string where = node.path().empty() ? "the file" : printable(node.path(), 120);
    problems.add(node.position(), where + " must be a mapping, not " + std::string(name_of(node.kind())),
                 "write " + mapping_example(node.path(), settings));
    return;
  }
  const auto slipped = check_keys(node, settings, problems);
  for (const Setting& setting : settings) {
    const Node& value = node.at(setting.key);
    if (value.present()) {
      check_value(setting, value, problems);
    } else if (setting.required && std::find(slipped.begin(), slipped.end(), setting.key) == slipped.end()) {
      problems.add(
          node.position(), "key '" + std::string(setting.key) + "' is missing" + in(node),
          setting.help.empty() ? ""
                               : "write '" + std::string(setting.key) + ": " + std::string(setting.example.empty() ? "…" : setting.example) + "', " + std::string(setting.help));
    }
  }
}

const Setting& Section::setting(std::string_view key) const {
  for (const Setting& setting : settings_) {
    if (setting.key == key) return setting;
  }
  BELAY_CHECK_NOTE(false, "a key is read that its settings table does not list");
  return kNone;
}

bool Section::has(std::string_view key) const {
  return node_.at(key).present();
}
const Node& Section::node(std::string_view key) const {
  return node_.at(setting(key).key);
}

namespace {

// The written value, or the fallback where it is absent, wrong or not a scalar.
template <typename Parse>
auto value_or_fallback(const Node& node, const Setting& setting, Parse parse) {
  using Value = std::remove_cvref_t<decltype(*parse(std::string_view{}))>;
  if (node.is_scalar()) {
    if (const auto value = parse(node.text())) return *value;
  }
  if (setting.fallback.empty()) return Value{};
  const auto value = parse(setting.fallback);
  BELAY_CHECK_NOTE(value.ok(), "a fallback in a settings table must be a value of its type");
  return *value;
}

}  // namespace

std::string Section::text(std::string_view key) const {
  const Setting& wanted = setting(key);
  const Node& value = node_.at(key);
  if (value.is_scalar()) return value.text();
  if (value.is_list()) must_be(wanted, value, "a single value", problems_);
  if (value.is_map() && wanted.type == Type::node) must_be(wanted, value, "a single value", problems_);
  return std::string(wanted.fallback);
}

bool Section::boolean(std::string_view key) const {
  return value_or_fallback(node_.at(key), setting(key), [](std::string_view t) { return measure(Type::boolean, t); }) !=
         0;
}

int64_t Section::integer(std::string_view key) const {
  return static_cast<int64_t>(
      value_or_fallback(node_.at(key), setting(key), [](std::string_view t) { return measure(Type::integer, t); }));
}

double Section::number(std::string_view key) const {
  return value_or_fallback(node_.at(key), setting(key), parse_number);
}
Duration Section::duration(std::string_view key) const {
  return value_or_fallback(node_.at(key), setting(key), parse_duration);
}
uint64_t Section::size(std::string_view key) const {
  return value_or_fallback(node_.at(key), setting(key), parse_size);
}
Rate Section::rate(std::string_view key) const {
  return value_or_fallback(node_.at(key), setting(key), parse_rate);
}

Secret Section::secrets(std::string_view key) const {
  const Node& value = node(key);
  if (!value.present() || value.kind() == Kind::null) return {};
  BELAY_CHECK_NOTE(secrets_ != nullptr, "a section that reads secrets needs a SecretSource");
  return read_secret(value, *secrets_, problems_);
}

std::vector<std::string> Section::texts(std::string_view key) const {
  const Setting& wanted = setting(key);
  const Node& value = node_.at(key);
  if (value.is_scalar()) return {value.text()};
  if (value.is_map() && wanted.type == Type::node) must_be(wanted, value, "a single value or a list", problems_);
  std::vector<std::string> out;
  for (const Node& item : value.items()) {
    if (item.is_scalar()) {
      out.push_back(item.text());
    } else {
      problems_.add(item.position(),
                    std::string(wanted.key) + " must hold single values, not " + std::string(name_of(item.kind())));
    }
  }
  if (!value.present() && !wanted.fallback.empty()) out.emplace_back(wanted.fallback);
  return out;
}

void Section::wrong(std::string_view key, std::string what, std::string hint) const {
  const Node& value = node_.at(key);
  problems_.add((value.present() ? value : node_).position(), std::move(what), std::move(hint));
}

}  // namespace belay::conf
