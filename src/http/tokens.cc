#include "http/tokens.h"

#include <llhttp.h>
namespace belay::http {

namespace {

struct Collector {
  Fields& fields;
  std::string_view name;
};

int on_name(llhttp_t* parser, const char* at, size_t length) {
  if (length == 0) {  // llhttp lets ": value" pass
    llhttp_set_error_reason(parser, "field without a name");
    return HPE_USER;
  }
  static_cast<Collector*>(parser->data)->name = {at, length};
  return 0;
}

int on_value(llhttp_t* parser, const char* at, size_t length) {
  auto* collector = static_cast<Collector*>(parser->data);
  // llhttp leaves white space behind a value.
  while (length > 0 && (at[length - 1] == ' ' || at[length - 1] == '\t')) --length;
  collector->fields.add(collector->name, {at, length});
  return 0;
}

// Framing is decided by our own policy: llhttp stops before it looks at a body.
int on_head_end(llhttp_t*) {
  return HPE_PAUSED;
}

const llhttp_settings_t& settings() {
  static const llhttp_settings_t kSettings = [] {
    llhttp_settings_t made;
    llhttp_settings_init(&made);
    made.on_header_field = on_name;
    made.on_header_value = on_value;
    made.on_headers_complete = on_head_end;
    return made;
  }();
  return kSettings;
}

}  // namespace

bool read_tokens(HeadKind kind, std::string_view head, Fields& fields, Refusal& refusal) {
  Collector collector{fields, {}};
  llhttp_t parser;
  llhttp_init(&parser, kind == HeadKind::request ? HTTP_REQUEST : HTTP_RESPONSE, &settings());
  parser.data = &collector;
  const llhttp_errno_t error = llhttp_execute(&parser, head.data(), head.size());
  if (error == HPE_PAUSED) {
    if (llhttp_get_error_pos(&parser) == head.data() + head.size()) return true;
    refusal = {400, "head ends early"};
    return false;
  }
  // Request line and version are checked before: a "constant" or "version" that displeases is an RTSP method or PRI.
  if (error == HPE_INVALID_METHOD || error == HPE_INVALID_CONSTANT || error == HPE_INVALID_VERSION) {
    refusal = {501, "method is not known"};
    return false;
  }
  const char* reason = llhttp_get_error_reason(&parser);
  refusal = {400, error != HPE_OK && reason != nullptr ? reason : "head is not whole"};
  return false;
}

}  // namespace belay::http
