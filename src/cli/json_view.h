// Reads the admin API's answers: a value of a parsed document with the few questions a command has. An absent member or one of
// another type reads as empty, zero or false, because an older spool may not send it. The Document must outlive its views.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "json/document.h"

namespace belay::cli {

class JsonView {
 public:
  JsonView() = default;  // absent
  explicit JsonView(const json::Document& document) : document_(&document), ref_(document.root()) {}

  bool present() const { return ref_ != json::kNone; }
  JsonView operator[](std::string_view name) const {
    return {document_, present() ? document_->find(ref_, name) : json::kNone};
  }
  std::string text() const;     // of a string; a number as it is written
  uint64_t number() const;      // of a whole number
  double real() const;
  bool boolean() const;
  bool is_null() const { return !present() || document_->type(ref_) == json::Type::null; }
  std::vector<JsonView> items() const;                                   // of an array
  std::vector<std::pair<std::string, JsonView>> members() const;         // of an object
  std::string_view raw() const { return present() ? document_->raw(ref_) : std::string_view(); }

 private:
  JsonView(const json::Document* document, json::Ref ref) : document_(document), ref_(ref) {}
  const json::Document* document_ = nullptr;
  json::Ref ref_ = json::kNone;
};

}  // namespace belay::cli
