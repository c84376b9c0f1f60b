#include "admin/counters.h"

namespace belay::admin {

namespace {

// Reads name="value" at `at`, moves behind it and a following comma. False at the end or on anything else.
bool next_label(std::string_view labels, size_t& at, std::string_view& name, std::string& value) {
  const size_t equals = labels.find('=', at);
  if (equals == std::string_view::npos || equals + 1 >= labels.size() || labels[equals + 1] != '"') return false;
  name = labels.substr(at, equals - at);
  value.clear();
  for (size_t i = equals + 2; i < labels.size(); ++i) {
    if (labels[i] == '"') {
      at = i + 1;
      if (at < labels.size() && labels[at] == ',') ++at;
      return true;
    }
    if (labels[i] == '\\' && i + 1 < labels.size()) {
      ++i;
      value.push_back(labels[i] == 'n' ? '\n' : labels[i]);
    } else {
      value.push_back(labels[i]);
    }
  }
  return false;
}

}  // namespace

std::map<Series, uint64_t> add_up(const std::vector<wire::Counters>& workers) {
  std::map<Series, uint64_t> totals;
  for (const wire::Counters& worker : workers) {
    for (const wire::Counter& counter : worker.counters) {
      uint64_t& total = totals[{counter.name, counter.labels}];
      total = counter.is_fact() ? counter.value : total + counter.value;
    }
  }
  return totals;
}

std::string label_value(std::string_view labels, std::string_view name) {
  std::string_view found;
  std::string value;
  for (size_t at = 0; next_label(labels, at, found, value);) {
    if (found == name) return value;
  }
  return {};
}

std::string label(std::string_view name, std::string_view value) {
  std::string out(name);
  out += "=\"";
  for (const char c : value) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  out.push_back('"');
  return out;
}

}  // namespace belay::admin
