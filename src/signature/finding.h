// What a check of a signature found. `reason` names what is wrong, never a secret and never what was expected; it points to
// text that lives as long as the scheme.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace belay::signature {

struct Finding {
  enum class Is : uint8_t {  // of several, any of which would do, the last one here is the answer
    genuine,
    inapplicable,  // the check's `when` does not hold: it says nothing about this request
    refused,
    unavailable,   // the key document at `url` cannot be had now: nobody knows whether the request is genuine
    pending,       // it is on its way: ask again when it is there
  };

  Is is = Is::genuine;
  std::string_view reason;
  std::string url;

  static Finding refused(std::string_view why) { return {Is::refused, why, {}}; }
  bool genuine() const { return is == Is::genuine; }
};

}  // namespace belay::signature
