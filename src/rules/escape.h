// Text as it may stand inside a form, a URL or an XML document. Each appends; pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace belay::rules {

// application/x-www-form-urlencoded (WHATWG URL §5.2): a blank is '+'.
void append_form_text(std::string& out, std::string_view text);
// Everything but unreserved characters, RFC 3986 §2.3: for a segment of a path and for query strings.
void append_url_text(std::string& out, std::string_view text);
// XML 1.0: the five escapes, and the white space that a reader would change (CR; in an attribute also TAB and LF). What no XML
// document may hold, not even escaped, and bytes that are not UTF-8 become U+FFFD. An attribute's text is right in an
// element, too.
enum class XmlPlace : uint8_t { element, attribute };
void append_xml_text(std::string& out, std::string_view text, XmlPlace place);
// Name of XML 1.0 §2.3, prefixes included.
bool is_xml_name(std::string_view name);

}  // namespace belay::rules
