// A settings table with its place in the rules, for the generated reference. One static object beside every table:
//   const Documented kDocumented("sources.NAME.limit", kSettings);
// They are made while the program starts, before there is a second thread, and never change afterwards.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "conf/section.h"

namespace belay::conf {

class Documented {
 public:
  // `path` is as a reader would look for it, "" for the main file's own keys; the same table may stand at several places.
  Documented(std::string_view path, std::span<const Setting> settings);
  static const std::vector<Documented>& all();  // in no order

  std::string_view path;
  std::span<const Setting> settings;
};

}  // namespace belay::conf
