// The payload of one request for rules: the bytes of a body as a rules::Value. JSON stays a lazy view; a form becomes a table;
// XML becomes JSON (README.md has the mapping). Content codings and charsets are undone in a copy made for reading only: signed and
// forwarded is what arrived. Nothing is done before a rule asks, and each step once.
// Owner: a Context (one request), which the values must not outlive; body, fields and options must outlive this. One thread.
// Limits: Options::max for what is unfolded or converted, kMaxFormPairs, CodingLimits, XmlLimits, json::Limits.
// Failure: an error value with Fault::unreadable that says why.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/message.h"
#include "payload/charset.h"
#include "payload/form_table.h"
#include "rules/value.h"

namespace belay::payload {

// What a payload is read as. `automatic`: by Content-Type, see format_of().
enum class As : uint8_t { automatic, json, form, xml, none };

struct Options {
  static constexpr size_t kDefaultMax = size_t{16} << 20;

  As as = As::automatic;
  size_t max = kDefaultMax;          // bytes of a body once unfolded or converted
  const Charset* charset = nullptr;  // in place of what Content-Type says; nullptr: what it says
};

// What a body of this Content-Type is read as; an error says why it is not read. `type`: the media type in lower case, without
// parameters; empty when the request names none. text/plain and no type at all are JSON when the body begins like an object or
// a list. Never automatic.
Result<As> format_of(std::string_view type, std::string_view body);

class Payload {
 public:
  static constexpr size_t kMaxFormPairs = 10'000;

  Payload(const http::Fields& fields, std::string_view body, const Options& options)
      : fields_(fields), body_(body), options_(options) {}
  Payload(const Payload&) = delete;
  Payload& operator=(const Payload&) = delete;

  // $body, and payload fields at the root.
  rules::Value value(rules::Arena& arena);
  // $form: the body as form fields, whatever its type is and whatever `as` says.
  rules::Value form(rules::Arena& arena);

 private:
  struct ContentType {
    std::string type;                  // in lower case, without parameters
    const Charset* charset = nullptr;  // of its parameter
  };

  Result<std::string_view> unfolded();
  Result<ContentType> content_type() const;
  // The charset of `text`, and what stands before it that is not text (a byte order mark).
  Result<ByteOrderMark> charset_of(std::string_view text, bool xml) const;
  Result<std::string_view> as_utf8(bool xml);
  Result<FormTable::Pairs> pairs();
  Result<rules::Value> read(rules::Arena& arena);
  Result<rules::Value> json(rules::Arena& arena);
  Result<rules::Value> xml(rules::Arena& arena);

  const http::Fields& fields_;
  std::string_view body_;
  const Options& options_;
  std::optional<Result<std::string>> unfolded_;  // the body without its content codings, when it has any
  std::string converted_;                        // that in UTF-8, when it was something else
  std::unique_ptr<FormTable> form_;
  std::optional<Error> form_error_;
};

}  // namespace belay::payload
