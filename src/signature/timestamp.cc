#include "signature/timestamp.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/bytes.h"
#include "conf/documented.h"
#include "http/parser.h"
#include "http/credentials.h"

namespace belay::signature {

namespace {

constexpr uint64_t kLastSecond = 253'402'300'799;  // 9999-12-31T23:59:59Z

constexpr conf::Setting kSettings[] = {
    {.key = "signature", .help = "name of the pair or position inside the signature's header", .example = "t"},
    {.key = "header", .help = "name of the header", .example = "X-Timestamp"},
    {.key = "body", .type = conf::Type::expression, .help = "payload field, or any expression", .example = "timestamp"},
    {.key = "unit",
     .fallback = "s",
     .range = "s|ms|iso8601|text",
     .help = "how it is written; text: as it stands, never judged"},
    {.key = "tolerance",
     .type = conf::Type::duration,
     .range = "1s..7d",
     .help = "how far from now it may be; absent: it is not judged", .example = "5m"},
    {.key = "future", .type = conf::Type::duration, .range = "0s..7d", .help = "how far ahead of now; default: tolerance", .example = "1m"},
};
const conf::Documented kSourcesVerifyTimestampDocumented("sources.NAME.verify.timestamp", kSettings);

}  // namespace

std::optional<WallTime> read_timestamp(std::string_view text, TimestampRule::Unit unit) {
  if (unit == TimestampRule::Unit::iso8601) {
    const auto time = conf::parse_time(text);
    return time ? std::optional<WallTime>(*time) : std::nullopt;
  }
  const auto number = parse_u64(text);
  const uint64_t per_second = unit == TimestampRule::Unit::seconds ? 1 : 1000;
  if (!number || *number > kLastSecond * per_second) return std::nullopt;
  return wall_from_ms(static_cast<int64_t>(*number * (1000 / per_second)));
}

std::unique_ptr<TimestampRule> TimestampRule::build(const conf::Node& node, const rules::Names& names,
                                                    conf::Problems& problems) {
  const size_t before = problems.all().size();
  const conf::Section section(node, kSettings, problems);
  if (static_cast<int>(section.has("signature")) + section.has("header") + section.has("body") != 1) {
    problems.add(node.position(), "timestamp stands in exactly one place",
                 "write timestamp: { header: NAME, unit: s, tolerance: 5m }");
    return nullptr;
  }
  std::unique_ptr<TimestampRule> rule(new TimestampRule());
  rule->signature_part_ = section.text("signature");
  rule->header_ = section.text("header");
  if (section.has("header") && !http::is_token(rule->header_))
    section.wrong("header", "'" + printable(rule->header_) + "' is not a header name");
  if (section.has("body"))
    rule->expression_ = rules::Expression::compile(section.node("body"), names, problems);
  const std::string unit = section.text("unit");
  rule->unit_ = unit == "ms" ? Unit::milliseconds : unit == "iso8601" ? Unit::iso8601
                : unit == "text"                               ? Unit::text
                                                               : Unit::seconds;
  if (section.has("tolerance")) rule->tolerance_ = rule->future_ = section.duration("tolerance");
  if (section.has("future")) rule->future_ = section.duration("future");
  if (rule->unit_ == Unit::text && section.has("tolerance"))
    section.wrong("tolerance", "a time of unit text cannot be judged", "write unit: s, ms or iso8601");
  const std::string where = section.has("header") ? "header " + rule->header_ : "the timestamp";
  rule->missing_ = where + " is missing";
  rule->repeated_ = where + " is given more than once";
  if (problems.all().size() != before) return nullptr;
  return rule;
}

std::string_view TimestampRule::find(Work& work, std::string_view signed_part, std::string_view& text,
                                     std::string& owned) const {
  if (!header_.empty()) {
    const http::Presence presence = http::single_header(work.context.view().head->fields, header_, text);
    if (presence == http::Presence::repeated) return repeated_;
    if (presence == http::Presence::missing) return missing_;
  } else if (expression_) {
    const Loan loan(work);
    const auto value = expression_->run(work.context).to_text();
    if (!value) return missing_;
    owned = *value;
    text = owned;
  } else {
    text = signed_part;
  }
  return text.empty() ? std::string_view(missing_) : std::string_view();
}

std::string_view TimestampRule::check(Work& work, std::string_view signed_part, std::string_view& text,
                                      std::string& owned) const {
  if (const std::string_view reason = find(work, signed_part, text, owned); !reason.empty()) return reason;
  if (unit_ == Unit::text) return {};
  const auto time = read_timestamp(text, unit_);
  if (!time) return "the timestamp cannot be read";
  if (!judges()) return {};
  if (*time < work.now - tolerance_) return "the timestamp is too old";
  if (*time > work.now + future_) return "the timestamp is too far ahead";
  return {};
}

std::string TimestampRule::write(WallTime now) const {
  switch (unit_) {
    case Unit::text:
    case Unit::seconds: return std::to_string(to_ms(now) / 1000);
    case Unit::milliseconds: return std::to_string(to_ms(now));
    case Unit::iso8601: break;
  }
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(to_ms(now) / 1000), to_ms(now) % 1000);
}

}  // namespace belay::signature
