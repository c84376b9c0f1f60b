#include "payload/request_context.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "base/bytes.h"
#include "http/url.h"
#include "json/document.h"

namespace belay::payload {

using rules::Arena;
using rules::Value;

namespace {

Value list_of(const std::vector<Value>& values, Arena& arena) {
  auto* room = arena.array<Value>(values.size());
  if (room == nullptr)
    return Value::failed(rules::Fault::budget, "too much memory for one request's expressions", arena);
  std::copy(values.begin(), values.end(), room);
  return Value::list({room, values.size()});
}

class HeaderTable final : public rules::Table {
 public:
  explicit HeaderTable(const http::Fields& fields) : fields_(fields) {}

  bool find(std::string_view name, Arena&, Value& out) const override {
    const std::string_view* value = fields_.find(name);
    if (value != nullptr) out = Value::string(*value);
    return value != nullptr;
  }
  Value all(std::string_view name, Arena& arena) const override {
    std::vector<Value> values;
    for (const std::string_view value : fields_.all(name)) values.push_back(Value::string(value));
    return list_of(values, arena);
  }
  size_t size() const override { return names().size(); }
  std::string_view name_at(size_t index) const override { return names()[index]; }

 private:
  // Distinct, in order; a head has few fields.
  const std::vector<std::string_view>& names() const {
    if (!names_.empty()) return names_;
    for (const http::Field& field : fields_) {
      const auto same = [&field](std::string_view known) { return ascii_iequals(known, field.name); };
      if (std::none_of(names_.begin(), names_.end(), same)) names_.push_back(field.name);
    }
    return names_;
  }
  const http::Fields& fields_;
  mutable std::vector<std::string_view> names_;
};

// A query string or form body. Its pairs are sorted once by name, so that a sender's thousands of them cost no search through
// all for each, whatever the names (a hash of strings can be made to collide).
class FormTable final : public rules::Table {
 public:
  explicit FormTable(std::string_view text) : pairs_(http::parse_form(text)), sorted_(pairs_.size()) {
    std::iota(sorted_.begin(), sorted_.end(), 0U);
    std::stable_sort(sorted_.begin(), sorted_.end(), [this](uint32_t a, uint32_t b) { return pairs_[a].first < pairs_[b].first; });
  }

  bool find(std::string_view name, Arena&, Value& out) const override {
    const auto at = first_of(name);
    if (at == sorted_.end() || pairs_[*at].first != name) return false;
    out = Value::string(pairs_[*at].second);
    return true;
  }
  Value all(std::string_view name, Arena& arena) const override {
    std::vector<Value> values;
    for (auto at = first_of(name); at != sorted_.end() && pairs_[*at].first == name; ++at) {
      values.push_back(Value::string(pairs_[*at].second));
    }
    return list_of(values, arena);
  }
  size_t size() const override { return names().size(); }
  std::string_view name_at(size_t index) const override { return pairs_[names()[index]].first; }

 private:
  std::vector<uint32_t>::const_iterator first_of(std::string_view name) const {
    return std::lower_bound(sorted_.begin(), sorted_.end(), name,
                            [this](uint32_t pair, std::string_view wanted) { return pairs_[pair].first < wanted; });
  }
  // The first pair of each name, in the order of the text.
  const std::vector<uint32_t>& names() const {
    if (!names_.empty()) return names_;
    for (size_t i = 0; i < sorted_.size(); ++i) {
      if (i == 0 || pairs_[sorted_[i]].first != pairs_[sorted_[i - 1]].first) names_.push_back(sorted_[i]);
    }
    std::sort(names_.begin(), names_.end());
    return names_;
  }
  std::vector<std::pair<std::string, std::string>> pairs_;
  std::vector<uint32_t> sorted_;  // places in pairs_; those of one name in their order
  mutable std::vector<uint32_t> names_;
};

// A few fixed members.
class FactTable final : public rules::Table {
 public:
  using Fact = std::pair<std::string_view, std::string_view>;
  // Facts without a value are absent. `facts` is asked at each use: identify fills $event while the context lives.
  explicit FactTable(std::function<std::vector<Fact>()> facts) : facts_(std::move(facts)) {}

  bool find(std::string_view name, Arena& arena, Value& out) const override {
    for (const auto& [key, value] : facts_()) {
      if (key != name || value.empty()) continue;
      out = Value::copy_string(value, arena);
      return !out.is_error();
    }
    return false;
  }

 private:
  std::function<std::vector<Fact>()> facts_;
};

// $secret of a context that was lent none.
class NoSecrets final : public rules::Table {
 public:
  bool find(std::string_view, Arena&, Value&) const override { return false; }
};
const NoSecrets kNoSecrets;

}  // namespace

struct RequestContext::Tables {
  explicit Tables(const http::Fields& fields) : headers(fields) {}

  // Made when an expression first names them, except what costs nothing.
  HeaderTable headers;
  std::unique_ptr<FormTable> query, form;
  bool form_is_too_long = false;
  std::unique_ptr<FactTable> client, event;
};

RequestContext::RequestContext(const RequestView& view) : view_(view) {}
RequestContext::~RequestContext() = default;

RequestContext::Tables& RequestContext::tables() {
  if (!tables_) tables_ = std::make_unique<Tables>(view_.head->fields);
  return *tables_;
}

Value RequestContext::unreadable(std::string_view why) {
  const Value text = Value::copy_string(why, arena());
  return text.is_error() ? text : Value::failed(rules::Fault::unreadable, text.text(), arena());
}

Value RequestContext::form() {
  Tables& all = tables();
  if (!all.form && !all.form_is_too_long) {
    all.form_is_too_long = http::count_form_fields(view_.body) > kMaxFormPairs;
    if (!all.form_is_too_long) all.form = std::make_unique<FormTable>(view_.body);
  }
  if (all.form_is_too_long) {
    return unreadable("the payload is a form of more than " + std::to_string(kMaxFormPairs) + " pairs");
  }
  return Value::table(*all.form);
}

Value RequestContext::client() {
  Tables& all = tables();
  if (!all.client) {
    all.client = std::make_unique<FactTable>([this] {
      return std::vector<FactTable::Fact>{{"address", view_.client}, {"subject", view_.tls_subject}};
    });
  }
  return Value::table(*all.client);
}

Value RequestContext::event() {
  if (!tables().event) {
    tables().event = std::make_unique<FactTable>([this] {
      if (view_.event == nullptr) return std::vector<FactTable::Fact>{};
      const EventFacts& facts = *view_.event;
      return std::vector<FactTable::Fact>{
          {"type", facts.type}, {"id", facts.id}, {"time", facts.time}, {"resource", facts.resource}};
    });
  }
  return Value::table(*tables().event);
}

Value RequestContext::payload() {
  const std::string_view* type = view_.head->fields.find("content-type");
  if (type != nullptr && ascii_iequals(trim_ows(type->substr(0, type->find(';'))), "application/x-www-form-urlencoded"))
    return form();
  auto document = json::Document::parse(view_.body);
  if (!document) {
    return unreadable("the payload is not JSON: " + document.error().message);
  }
  const json::Document* kept = arena().keep(std::move(document).value());
  if (kept == nullptr) return Value::failed(rules::Fault::budget, "the payload is too large for expressions", arena());
  return Value::json(*kept, kept->root());
}

Value RequestContext::variable(rules::Variable name) {
  using rules::Variable;
  const http::RequestHead& request = *view_.head;
  switch (name) {
    case Variable::body: return root();
    case Variable::raw: return Value::bytes(view_.body);
    case Variable::form: return form();
    case Variable::method: return Value::string(request.method);
    case Variable::path: return Value::string(request.path);
    case Variable::url:
      if (url_.empty()) {
        url_.append(view_.tls ? "https://" : "http://").append(request.host).append(request.target);
      }
      return Value::string(url_);
    case Variable::host: return Value::string(request.host);
    case Variable::query:
      if (!tables().query) tables().query = std::make_unique<FormTable>(request.query);
      return Value::table(*tables().query);
    case Variable::headers: return Value::table(tables().headers);
    case Variable::client: return client();
    case Variable::source: return Value::string(view_.source);
    case Variable::event: return event();
    case Variable::ts: return Value::string(timestamp_);
    case Variable::secret: return Value::table(secrets_ != nullptr ? *secrets_ : kNoSecrets);
    case Variable::now: {
      const int64_t ms = to_ms(view_.received);
      const int64_t seconds = ms >= 0 ? ms / 1000 : (ms - 999) / 1000;
      return Value::timestamp({seconds, static_cast<uint32_t>(ms - seconds * 1000) * 1'000'000U});
    }
  }
  return {};
}

bool RequestContext::path_part(std::string_view name, Value& out) {
  if (view_.captures == nullptr) return false;
  for (const auto& [key, value] : *view_.captures) {
    if (key != name) continue;
    out = Value::string(value);
    return true;
  }
  return false;
}

}  // namespace belay::payload
