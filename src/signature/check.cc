#include "signature/check.h"

#include <algorithm>

#include "base/bytes.h"
#include "http/url.h"

namespace belay::signature {

Draft::Draft(const payload::RequestView& request)
    : request_(request), head_(*request.head), query_(head_.query), target_(head_.target) {}

payload::RequestView Draft::view() const {
  payload::RequestView view = request_;
  view.head = &head_;
  if (body_) view.body = *body_;
  return view;
}

bool Draft::has_added(std::string_view name) const {
  return std::any_of(fields_.begin(), fields_.end(), [name](const auto& field) { return ascii_iequals(field.first, name); });
}

void Draft::add_field(std::string name, std::string value) {
  const auto& [kept_name, kept_value] = fields_.emplace_back(std::move(name), std::move(value));
  head_.fields.add(kept_name, kept_value);
}

void Draft::add_query(const std::string& name, std::string_view value) {
  const std::string pair = name + '=' + http::percent_encode(value);
  added_query_ += (added_query_.empty() ? "" : "&") + pair;
  query_ += (query_.empty() ? "" : "&") + pair;
  target_ += (target_.find('?') == std::string::npos ? "?" : "&") + pair;
  head_.query = query_;
  head_.target = target_;
}

void Draft::set_body(std::string body) {
  body_ = std::move(body);
}

std::vector<conf::Setting> with_others(std::span<const conf::Setting> own, std::span<const conf::Setting> beside) {
  std::vector<conf::Setting> all(own.begin(), own.end());
  all.insert(all.end(), beside.begin(), beside.end());
  return all;
}

}  // namespace belay::signature
