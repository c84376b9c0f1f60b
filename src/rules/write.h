// Values written as XML and as a form: `as: xml` and `as: form` of a transform, xml() and form() of the language. Each
// appends to `out`; on an error it holds a part. `arena` takes what has to be decoded on the way. Pure.
// Limits: kMaxResult bytes of result. JSON is Value::append_json.
#pragma once

#include <string>

#include "rules/value.h"

namespace belay::rules {

// A map's members are elements: `@name` is an attribute of the element around, `#text` its text; a list repeats its element;
// a string, number or boolean is text, null and "" an empty element. src/payload/README.md has the table, which reads back
// what this writes. Refused: a name that XML does not allow, a list inside a list, an attribute that is a list or a map.
// Outside of a map a value is its escaped text.
Result<void> append_xml(std::string& out, const Value& value, Arena& arena);
// The XML declaration and one root element: `value` is a map with one member.
Result<void> append_xml_document(std::string& out, const Value& value, Arena& arena);

// A map's members are pairs; what is inside has its way in brackets, as PHP, Rails and many others read it:
// {a: {b: 1}} is a[b]=1, {a: [1, 2]} is a[]=1&a[]=2, {a: [{b: 1}]} is a[0][b]=1. Names and values are percent-coded, the
// brackets too. null is an empty value; an empty list or map gives nothing. A Table ($form, $query) repeats its names as they
// came. Outside of a map a value is its encoded text.
Result<void> append_form(std::string& out, const Value& value, Arena& arena);

}  // namespace belay::rules
