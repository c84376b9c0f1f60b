#include "payload/payload.h"

#include <algorithm>

#include "base/bytes.h"
#include "http/url.h"
#include "json/document.h"
#include "payload/content_coding.h"
#include "payload/xml.h"

namespace belay::payload {

using rules::Arena;
using rules::Value;

namespace {

Value unreadable(const Error& error, Arena& arena) {
  const Value text = Value::copy_string("the payload cannot be read: " + error.message, arena);
  return text.is_error() ? text : Value::failed(rules::Fault::unreadable, text.text(), arena);
}

Error prefixed(std::string_view what, const Error& error) { return {error.kind, std::string(what) + error.message}; }

bool begins_like_json(std::string_view body) {
  body.remove_prefix(find_byte_order_mark(body).size);
  const size_t first = body.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && (body[first] == '{' || body[first] == '[');
}

// The value of parameter charset in what follows the media type (RFC 9110 §5.6.6); empty: none. nullopt: two of them.
std::optional<std::string> charset_parameter(std::string_view parameters) {
  std::string found;
  for (const std::string_view parameter : split(parameters, ';')) {
    const size_t equals = parameter.find('=');
    if (equals == std::string_view::npos || !ascii_iequals(trim_ows(parameter.substr(0, equals)), "charset")) continue;
    std::string_view value = trim_ows(parameter.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    if (!found.empty() && !ascii_iequals(found, value)) return std::nullopt;
    found = value;
  }
  return found;
}

Result<const Charset*> known_charset(std::string_view name) {
  if (const Charset* charset = find_charset(name)) return charset;
  return invalid("charset '" + printable(name, 40) + "' is not one that can be read");
}

}  // namespace

Result<As> format_of(std::string_view type, std::string_view body) {
  if (type == "application/json" || type == "text/json" || type.ends_with("+json")) return As::json;
  if (type == "application/x-www-form-urlencoded") return As::form;
  if (type == "application/xml" || type == "text/xml" || type.ends_with("+xml")) return As::xml;
  if (type.empty() || type == "text/plain") {
    if (begins_like_json(body)) return As::json;
    return invalid(type.empty() ? "it has no Content-Type and does not begin like JSON" : "it is text/plain and does not begin like JSON");
  }
  return invalid("its type " + printable(type, 80) + " is not JSON, a form or XML");
}

Result<Payload::ContentType> Payload::content_type() const {
  const auto all = fields_.all("content-type");
  if (all.empty()) return ContentType{};
  if (all.size() > 1) return invalid("it has two Content-Types");
  const size_t end = std::min(all[0].find(';'), all[0].size());
  ContentType found{.type = ascii_lower(trim_ows(all[0].substr(0, end)))};
  const auto name = charset_parameter(all[0].substr(end));
  if (!name) return invalid("its Content-Type names two charsets");
  if (!name->empty()) {
    const auto charset = known_charset(*name);
    if (!charset) return charset.error();
    found.charset = *charset;
  }
  return found;
}

Result<std::string_view> Payload::unfolded() {
  if (!unfolded_) {
    const auto codings = content_codings(fields_);
    if (codings && codings->empty()) return body_;
    unfolded_ = codings ? undo_codings(*codings, body_, {.bytes = options_.max}) : Result<std::string>(codings.error());
  }
  if (!*unfolded_) return unfolded_->error();
  return std::string_view(**unfolded_);
}

// A byte order mark decides; the rules, Content-Type and, with neither, an XML declaration must not say otherwise (RFC 7303 §3).
Result<ByteOrderMark> Payload::charset_of(std::string_view text, bool xml) const {
  const ByteOrderMark mark = find_byte_order_mark(text);
  const auto type = content_type();
  if (!type) return type.error();
  const Charset* named = options_.charset != nullptr ? options_.charset : type->charset;
  if (named == nullptr && mark.charset == nullptr && xml && !declared_encoding(text).empty()) {
    const auto declared = known_charset(declared_encoding(text));
    if (!declared) return declared.error();
    named = *declared;
  }
  if (named == nullptr) return mark.charset != nullptr ? mark : ByteOrderMark{&utf8_charset(), 0};
  if (mark.charset == nullptr) {
    if (named->name == "utf-16") return invalid("it is UTF-16 without a byte order mark; utf-16le or utf-16be would say more");
    return ByteOrderMark{named, 0};
  }
  const bool same = named->name == "utf8" ? mark.charset == &utf8_charset() : mark.charset->name.starts_with(named->name);
  if (!same) return invalid("its byte order mark is " + std::string(mark.charset->name) + "'s, its charset is said to be " + std::string(named->name));
  return mark;
}

Result<std::string_view> Payload::as_utf8(bool xml) {
  const auto text = unfolded();
  if (!text) return text.error();
  const auto charset = charset_of(*text, xml);
  if (!charset) return charset.error();
  std::string_view plain = text->substr(charset->size);
  if (charset->charset->library_name != nullptr && !(charset->charset->ascii && is_ascii(plain))) {
    converted_.clear();
    if (auto done = Converter(*charset->charset).append(plain, converted_, options_.max); !done) return done.error();
    plain = converted_;
  }
  // Readers of JSON and XML skip one by themselves.
  if (plain.starts_with("\xEF\xBB\xBF")) return invalid("it begins with two byte order marks");
  return plain;
}

// A form is ASCII; its charset is that of the bytes behind the percent signs.
Result<FormTable::Pairs> Payload::pairs() {
  const auto text = unfolded();
  if (!text) return text.error();
  if (http::count_form_fields(*text) > kMaxFormPairs) {
    return Error{ErrorKind::full, "it is a form of more than " + std::to_string(kMaxFormPairs) + " pairs"};
  }
  const auto type = content_type();
  if (!type) return type.error();
  const Charset* charset = options_.charset != nullptr ? options_.charset : type->charset;
  if (charset == nullptr) charset = &utf8_charset();
  if (!charset->ascii) return invalid("it is a form in " + std::string(charset->name) + "; a form is ASCII");
  auto pairs = http::parse_form(*text);
  Converter converter(*charset);
  for (auto& pair : pairs) {
    for (std::string* side : {&pair.first, &pair.second}) {
      if (is_ascii(*side)) continue;
      std::string converted;
      if (auto done = converter.append(*side, converted, options_.max); !done) return done.error();
      *side = std::move(converted);
    }
  }
  return pairs;
}

Value Payload::form(Arena& arena) {
  if (form_ == nullptr && !form_error_) {
    auto read = pairs();
    if (read) {
      form_ = std::make_unique<FormTable>(std::move(read).value());
    } else {
      form_error_ = read.error();
    }
  }
  return form_ != nullptr ? Value::table(*form_) : unreadable(*form_error_, arena);
}

Result<Value> Payload::json(Arena& arena) {
  const auto text = as_utf8(false);
  if (!text) return text.error();
  auto document = json::Document::parse(*text);
  if (!document) return prefixed("it is not JSON: ", document.error());
  const json::Document* kept = arena.keep(std::move(document).value());
  if (kept == nullptr) return Error{ErrorKind::full, "it has too many values for one request's expressions"};
  return Value::json(*kept, kept->root());
}

Result<Value> Payload::xml(Arena& arena) {
  const auto text = as_utf8(true);
  if (!text) return text.error();
  constexpr XmlLimits kLimits;
  auto as_json = xml_to_json(*text, kLimits);
  if (!as_json) return prefixed("it is not XML: ", as_json.error());
  auto document = json::Document::parse_owned(std::move(as_json).value(), {.depth = json_depth(kLimits)});
  if (!document) return prefixed("it is not XML: ", document.error());
  const json::Document* kept = arena.keep(std::move(document).value());
  if (kept == nullptr) return Error{ErrorKind::full, "it has too many elements for one request's expressions"};
  return Value::json(*kept, kept->root());
}

Result<Value> Payload::read(Arena& arena) {
  As as = options_.as;
  if (as == As::automatic) {
    const auto type = content_type();
    if (!type) return type.error();
    const auto text = unfolded();
    if (!text) return text.error();
    const auto format = format_of(type->type, *text);
    if (!format) return format.error();
    as = *format;
  }
  switch (as) {
    case As::form: return form(arena);
    case As::xml: return xml(arena);
    case As::none: return invalid("its source says decode: none");
    default: return json(arena);
  }
}

Value Payload::value(Arena& arena) {
  auto read_value = read(arena);
  return read_value ? *read_value : unreadable(read_value.error(), arena);
}

}  // namespace belay::payload
