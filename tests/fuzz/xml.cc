// Any text as XML: it is refused with a reason, or becomes JSON that can be parsed and holds one member, the root element.
#include "fuzz/input.h"
#include "json/document.h"
#include "payload/xml.h"

using namespace belay;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input = fuzz::text(data, size);
  const payload::XmlLimits limits{.depth = 20, .nodes = 500, .attributes = 50, .markup = 2000};
  static_cast<void>(payload::declared_encoding(input));
  const auto text = payload::xml_to_json(input, limits);
  if (!text) {
    BELAY_CHECK(!text.error().message.empty());
    return 0;
  }
  BELAY_CHECK(input.find("<!DOCTYPE") == std::string_view::npos || input.find("<!--") != std::string_view::npos ||
              input.find("<![CDATA[") != std::string_view::npos || input.find("<?") != std::string_view::npos);
  const auto document = json::Document::parse(*text, {.depth = payload::json_depth(limits)});
  BELAY_CHECK_NOTE(document.ok(), document.error().message.c_str());
  BELAY_CHECK((*document)->type((*document)->root()) == json::Type::object);
  BELAY_CHECK((*document)->size((*document)->root()) == 1);
  return 0;
}
