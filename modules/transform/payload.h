// The body of a transformed request: body, edit or text of `transform`, written as JSON, form, XML or text. Compiled when rules
// load, const and shared afterwards. Failure: an absent path (`missing: error`), a payload that cannot be edited, a value that has
// no such form; a result larger than rules::kMaxResult.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "conf/section.h"
#include "json/edit.h"
#include "modules/transform/shape.h"

namespace belay::modules {

enum class As : uint8_t { json, form, xml, text };

class NewPayload {
 public:
  // Reads body, edit, text, as and missing of the section. Null when it has none of the first three, or when they are wrong
  // (then a problem is recorded).
  static std::unique_ptr<NewPayload> read(const conf::Section& section, Missing missing);

  // Appends the body.
  Result<void> append(rules::Context& context, std::string& out) const;
  // Of what is written. Empty for an edit, which leaves `received` as it is, except where that says another charset than UTF-8.
  std::string_view content_type(std::string_view received) const;

 private:
  explicit NewPayload(Missing missing) : missing_(missing) {}
  bool read_as(const conf::Section& section);
  bool read_text(const conf::Section& section);
  bool read_edit(const conf::Section& section);
  Result<void> append_body(rules::Context& context, std::string& out) const;
  Result<void> append_text(rules::Context& context, std::string& out) const;
  Result<void> append_edited(rules::Context& context, std::string& out) const;

  Missing missing_;
  As as_ = As::json;
  std::unique_ptr<Shape> body_;
  std::unique_ptr<rules::Template> text_;
  std::unique_ptr<json::Edit> edit_;
  std::vector<std::unique_ptr<Shape>> set_values_;  // of edit_, in the order of its set()
};

}  // namespace belay::modules
