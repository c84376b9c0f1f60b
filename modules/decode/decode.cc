#include "modules/decode/decode.h"

#include <array>

#include "base/bytes.h"
#include "conf/documented.h"

namespace belay::modules {

namespace {

using payload::As;

constexpr std::array<std::pair<std::string_view, As>, 5> kNames{
    {{"auto", As::automatic}, {"json", As::json}, {"form", As::form}, {"xml", As::xml}, {"none", As::none}}};

// What may unfold at once in every worker: the upper end keeps a JSON text readable (json::Limits::bytes).
constexpr conf::Setting kSettings[] = {
    {.key = "as", .fallback = "auto", .range = "auto|json|form|xml|none", .help = "what the payload is read as; auto: by Content-Type"},
    {.key = "max", .type = conf::Type::size, .fallback = "16MB", .range = "1KB..64MB", .help = "bytes of a body once unfolded (gzip, deflate) or converted to UTF-8"},
    {.key = "charset", .help = "in place of what Content-Type says", .example = "windows-1252"},
};
const conf::Documented kSourcesDecodeDocumented("sources.NAME.decode", kSettings);

As as_of(std::string_view name) {
  for (const auto& [known, as] : kNames) {
    if (known == name) return as;
  }
  return As::automatic;
}

std::unique_ptr<pipeline::Handler> build(const conf::Node& settings, pipeline::BuildContext& context) {
  payload::Options& options = context.source->decode;
  if (settings.is_scalar()) {
    options.as = as_of(settings.text());
    const bool known = options.as != As::automatic || settings.text() == "auto";
    if (!known) context.problems.add(settings.position(), "decode must be auto, json, form, xml or none", "write decode: auto");
    return nullptr;
  }
  const conf::Section section(settings, kSettings, context.problems);
  options.as = as_of(section.text("as"));
  options.max = section.size("max");
  if (section.has("charset")) {
    options.charset = payload::find_charset(section.text("charset"));
    if (options.charset == nullptr) {
      section.wrong("charset", "charset '" + printable(section.text("charset"), 40) + "' is not one that can be read",
                    "write a name of the IANA registry such as windows-1252, or leave it out for UTF-8");
    }
  }
  return nullptr;
}

}  // namespace

bool refuse_unreadable(pipeline::Exchange& exchange, const rules::Value& result) {
  if (!result.is_error() || result.failure().fault != rules::Fault::unreadable) return false;
  exchange.answer(400, wire::Outcome::rejected, "decode: " + printable(result.failure().message));
  return true;
}

const pipeline::Module kDecode = {
    .key = "decode",
    .stage = pipeline::Stage::on_body,
    .help = "how rules read the payload: JSON, form or XML; charset and limits",
    .settings = kSettings,
    .build = build,
};

}  // namespace belay::modules
