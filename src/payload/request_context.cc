#include "payload/request_context.h"

#include <algorithm>
#include <functional>

#include "base/bytes.h"
#include "http/url.h"
#include "payload/form_table.h"

namespace belay::payload {

using rules::Arena;
using rules::Value;

namespace {

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

// What a context was not lent.
class NoTable final : public rules::Table {
 public:
  bool find(std::string_view, Arena&, Value&) const override { return false; }
};
const NoTable kNoTable;

Value table_of(const rules::Table* table) {
  return Value::table(table != nullptr ? *table : kNoTable);
}

}  // namespace

struct RequestContext::Tables {
  explicit Tables(const http::Fields& fields) : headers(fields) {}

  // Made when an expression first names them, except what costs nothing.
  HeaderTable headers;
  std::unique_ptr<FormTable> query;
  std::unique_ptr<FactTable> client, event;
};

RequestContext::RequestContext(const RequestView& view) : view_(view) {}
RequestContext::~RequestContext() = default;

RequestContext::Tables& RequestContext::tables() {
  if (!tables_) tables_ = std::make_unique<Tables>(view_.head->fields);
  return *tables_;
}

// Made late: the context may be there before the body is.
Payload& RequestContext::body() {
  static constexpr Options kDefault;
  if (!body_) body_.emplace(view_.head->fields, view_.body, view_.decode != nullptr ? *view_.decode : kDefault);
  return *body_;
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

Value RequestContext::payload() { return body().value(arena()); }

Value RequestContext::variable(rules::Variable name) {
  using rules::Variable;
  const http::RequestHead& request = *view_.head;
  switch (name) {
    case Variable::body: return root();
    case Variable::raw: return Value::bytes(view_.body);
    case Variable::form: return body().form(arena());
    case Variable::method: return Value::string(request.method);
    case Variable::path: return Value::string(request.path);
    case Variable::url:
      if (lent_ != nullptr && !lent_->url.empty()) return Value::string(lent_->url);
      if (url_.empty()) {
        url_.append(view_.tls ? "https://" : "http://").append(request.host).append(request.target);
      }
      return Value::string(url_);
    case Variable::host: return Value::string(request.host);
    case Variable::query:
      if (!tables().query) tables().query = std::make_unique<FormTable>(http::parse_form(request.query));
      return Value::table(*tables().query);
    case Variable::headers: return Value::table(tables().headers);
    case Variable::client: return client();
    case Variable::source: return Value::string(view_.source);
    case Variable::event: return event();
    case Variable::ts: return Value::string(lent_ != nullptr ? lent_->timestamp : std::string_view());
    case Variable::secret: return table_of(lent_ != nullptr ? lent_->secrets : nullptr);
    case Variable::param: return table_of(lent_ != nullptr ? lent_->params : nullptr);
    case Variable::signature: return table_of(lent_ != nullptr ? lent_->signature : nullptr);
    case Variable::item: return lent_ != nullptr ? lent_->item : Value();
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
