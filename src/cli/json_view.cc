#include "cli/json_view.h"

#include "json/number.h"

namespace belay::cli {

using json::Type;

std::string JsonView::text() const {
  if (!present()) return {};
  if (document_->type(ref_) == Type::number) return std::string(raw());
  if (document_->type(ref_) != Type::string) return {};
  std::string scratch;
  return std::string(document_->string(ref_, scratch));
}

uint64_t JsonView::number() const {
  if (!present() || document_->type(ref_) != Type::number) return 0;
  return json::to_uint64(raw()).value_or(0);
}

double JsonView::real() const {
  if (!present() || document_->type(ref_) != Type::number) return 0;
  return json::to_double(raw());
}

bool JsonView::boolean() const {
  return present() && document_->type(ref_) == Type::boolean && document_->boolean(ref_);
}

std::vector<JsonView> JsonView::items() const {
  std::vector<JsonView> all;
  if (!present() || document_->type(ref_) != Type::array) return all;
  for (json::Ref item = document_->first(ref_); item != json::kNone; item = document_->next(ref_, item)) {
    all.push_back(JsonView(document_, item));
  }
  return all;
}

std::vector<std::pair<std::string, JsonView>> JsonView::members() const {
  std::vector<std::pair<std::string, JsonView>> all;
  if (!present() || document_->type(ref_) != Type::object) return all;
  std::string scratch;
  for (json::Ref name = document_->first(ref_); name != json::kNone; name = document_->next(ref_, name)) {
    all.emplace_back(std::string(document_->string(name, scratch)), JsonView(document_, json::Document::value_of(name)));
  }
  return all;
}

}  // namespace belay::cli
