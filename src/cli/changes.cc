#include "cli/changes.h"

#include <algorithm>
#include <unordered_map>

#include "base/bytes.h"
#include "http/writer.h"
#include "json/document.h"
#include "upstream/client.h"

namespace belay::cli {

namespace {

using Value = std::pair<std::string, std::string_view>;  // place, as written

bool is_plain_name(std::string_view name) {
  const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
  return !name.empty() && std::all_of(name.begin(), name.end(), good);
}

// Every scalar and every empty list or object with its place; false when there are too many.
class Flattener {
 public:
  explicit Flattener(const json::Document& document) : document_(document) {}

  bool run() {
    add(document_.root(), {});
    return values_.size() <= kMaxValues;
  }
  std::vector<Value> values_;

 private:
  void add(json::Ref value, const std::string& place) {
    if (values_.size() > kMaxValues) return;
    const json::Type type = document_.type(value);
    const bool container = type == json::Type::object || type == json::Type::array;
    if (!container || document_.size(value) == 0) {
      values_.emplace_back(place.empty() ? "payload" : place, document_.raw(value));
      return;
    }
    size_t index = 0;
    for (json::Ref each = document_.first(value); each != json::kNone; each = document_.next(value, each)) {
      if (type == json::Type::array) {
        add(each, place + '[' + std::to_string(index++) + ']');
      } else {
        const std::string_view name = document_.inner(each);
        const std::string step = is_plain_name(name) ? (place.empty() ? "" : ".") + std::string(name) : '[' + std::string(document_.raw(each)) + ']';
        add(json::Document::value_of(each), place + step);
      }
    }
  }

  const json::Document& document_;
};

std::vector<Change> compare(const std::vector<Value>& before, const std::vector<Value>& after) {
  std::unordered_map<std::string_view, std::string_view> old_values, new_values;
  for (const auto& [place, value] : before) old_values.emplace(place, value);
  for (const auto& [place, value] : after) new_values.emplace(place, value);
  std::vector<Change> changes;
  for (const auto& [place, value] : before) {
    const auto found = new_values.find(place);
    if (found == new_values.end()) {
      changes.push_back({Change::Kind::removed, place, std::string(value), {}});
    } else if (found->second != value) {
      changes.push_back({Change::Kind::changed, place, std::string(value), std::string(found->second)});
    }
  }
  for (const auto& [place, value] : after) {
    if (!old_values.contains(place)) changes.push_back({Change::Kind::added, place, {}, std::string(value)});
  }
  return changes;
}

bool is_framing(std::string_view name) { return ascii_iequals(name, "content-length") || ascii_iequals(name, "transfer-encoding"); }

// All values of each name, in the order of the names' first appearance.
using FieldTexts = std::vector<std::pair<std::string, std::string>>;

void add_field(FieldTexts& texts, std::string_view name, const std::string& value) {
  for (auto& [known, text] : texts) {
    if (ascii_iequals(known, name)) {
      text += ", " + value;
      return;
    }
  }
  texts.emplace_back(name, value);
}

const std::string* find(const FieldTexts& texts, std::string_view name) {
  for (const auto& [known, text] : texts) {
    if (ascii_iequals(known, name)) return &text;
  }
  return nullptr;
}

void note(std::vector<Change>& changes, std::string place, std::string before, std::string after) {
  if (before == after) return;
  const auto kind = before.empty() ? Change::Kind::added : after.empty() ? Change::Kind::removed : Change::Kind::changed;
  changes.push_back({kind, std::move(place), std::move(before), std::move(after)});
}

}  // namespace

std::vector<Change> payload_changes(std::string_view before, std::string_view after) {
  if (before == after) return {};
  const auto old_document = json::Document::parse(before), new_document = json::Document::parse(after);
  if (old_document && new_document) {
    Flattener old_values(**old_document), new_values(**new_document);
    if (old_values.run() && new_values.run()) return compare(old_values.values_, new_values.values_);
  }
  std::vector<Change> whole;
  note(whole, "payload", std::string(before), std::string(after));
  return whole;
}

std::vector<Change> head_changes(const http::RequestHead& before, const wire::StoredRequest& after, bool vouched, const Mask& mask) {
  std::vector<Change> changes;
  note(changes, "method", std::string(before.method), after.method);
  note(changes, "path", {}, after.path);
  const auto query = [&](std::string_view target) {
    const size_t at = target.find('?');
    return at == std::string_view::npos ? std::string() : mask.target(target.substr(at));
  };
  note(changes, "query", query(before.target), query(after.target));
  FieldTexts old_fields, new_fields;
  const auto options = http::connection_options(before.fields);
  for (const http::Field& field : before.fields) {
    const auto same = [&](std::string_view option) { return ascii_iequals(option, field.name); };
    const bool one_hop = http::is_hop_by_hop(field.name) || std::any_of(options.begin(), options.end(), same);
    if (one_hop || is_framing(field.name) || (!vouched && upstream::claims_identity(field.name))) continue;
    add_field(old_fields, field.name, mask.field(field.name, field.value));
  }
  for (const auto& [name, value] : after.fields) {
    if (!is_framing(name)) add_field(new_fields, name, mask.field(name, value));
  }
  for (const auto& [name, value] : old_fields) {
    const std::string* now = find(new_fields, name);
    note(changes, "header " + name, value, now == nullptr ? std::string() : *now);
  }
  for (const auto& [name, value] : new_fields) {
    if (find(old_fields, name) == nullptr) note(changes, "header " + name, {}, value);
  }
  return changes;
}

std::string_view to_string(Change::Kind kind) {
  return kind == Change::Kind::changed ? "changed" : kind == Change::Kind::removed ? "removed" : "added";
}

}  // namespace belay::cli
