// What a sender of a source must prove, as OpenAPI security schemes and requirements. Private to openapi.cc. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/module.h"

namespace belay::cli {

// Every way of a document, by its name: "bearer", "header-X-API-Key", "signature-X-Hub-Signature-256".
using SecuritySchemes = std::map<std::string, std::string>;  // name → the scheme as JSON

// Alternatives; of each, all ways together. Empty: nothing has to be proved.
using SecurityNeeds = std::vector<std::vector<std::string>>;

// Limits: kMaxAlternatives; rules with more describe their first ones only.
inline constexpr size_t kMaxAlternatives = 64;
SecurityNeeds security_of(const pipeline::Source& source, SecuritySchemes& schemes);

// Names of components are letters, digits, '.', '-' and '_'; anything else of `text` becomes '_'.
std::string component_name(std::string_view text);

}  // namespace belay::cli
