// For commands that neither check nor send anything (explain --unsigned, openapi): while one of these lives, a secret that cannot be
// looked up reads as kStandInSecret in place of a problem. For the whole process, because rules are read in many places; one at a
// time, made before anything is loaded. Never in a process that listens.
#pragma once

#include <string_view>

namespace belay::conf {

// Well-formed in every encoding that keys are written in (hex, base64, base64url).
inline constexpr std::string_view kStandInSecret = "00000000000000000000000000000000";

class MissingSecretsStandIn {
 public:
  MissingSecretsStandIn();
  ~MissingSecretsStandIn();
  MissingSecretsStandIn(const MissingSecretsStandIn&) = delete;
  MissingSecretsStandIn& operator=(const MissingSecretsStandIn&) = delete;
};

}  // namespace belay::conf
