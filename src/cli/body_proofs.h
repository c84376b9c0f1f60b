// The texts in a request's body that prove who sent it, as the rules name their places (verify.signature.body and form), so that the
// body and what transforms made of it can be shown without them. Found by value: a transform may have put one elsewhere. Reads the
// request once; pure otherwise. Limits: a text shorter than kShortest is hidden only where it is a whole value; one that a payload spells
// in a roundabout way is found in JSON and forms, not in XML.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "conf/node.h"
#include "json/document.h"
#include "payload/request_context.h"
#include "pipeline/exchange.h"
#include "rules/expression.h"

namespace belay::cli {

class BodyProofs {
 public:
  static constexpr size_t kShortest = 4;
  static constexpr std::string_view kHidden = "***";

  // What this request shows; judged right or wrong makes no difference.
  void read(const pipeline::Exchange& exchange);
  // A payload, a value of one as it is written there, a header value or any other text.
  std::string hide(std::string_view text) const;

 private:
  void read_checks(const conf::Node& verify, payload::RequestContext& context, payload::Lent& lent, const rules::Names& names);
  void read_expression(const conf::Node& check, payload::RequestContext& context, payload::Lent& lent, const rules::Names& names);
  void add(std::string_view text);
  // With every proof in it hidden; unchanged when there is none.
  std::string hidden_value(std::string_view value) const;
  std::string hide_in_json(std::string_view text, const json::Document& document) const;
  std::string hide_in_form(std::string_view text) const;

  std::vector<std::string> texts_;
};

}  // namespace belay::cli
