#include "conf/documented.h"

namespace belay::conf {

namespace {

// A function's own, because tables of other files may come first.
std::vector<Documented>& documented() {
  static std::vector<Documented> tables;
  return tables;
}

}  // namespace

Documented::Documented(std::string_view path_in, std::span<const Setting> settings_in) : path(path_in), settings(settings_in) {
  documented().push_back(*this);
}

const std::vector<Documented>& Documented::all() { return documented(); }

}  // namespace belay::conf
