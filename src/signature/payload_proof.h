// Proofs that a sender writes into the payload itself, for signing: at a path of a JSON body, or in a field of a form. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace belay::signature {

struct PayloadProof {
  std::string path;  // of json::Edit
  std::string text;
};

// The path that an expression is, when it is nothing else ("event.hash"). Of "$item.hash" with `item`: the path behind that.
std::optional<std::string> payload_path(std::string_view expression, const std::string& item);

// The body with every proof in its place; the rest stays as it is.
Result<std::string> with_proofs(std::string_view body, const std::vector<PayloadProof>& proofs);

// The form with one field of this name, behind the others.
std::string with_form_field(std::string_view form, std::string_view name, std::string_view value);

}  // namespace belay::signature
