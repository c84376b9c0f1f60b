// One pass of expat fills flat tables of elements, attributes and text; a second one writes them as JSON with equal names of
// one parent gathered. Children are grouped by sorting, not hashing: a sender chooses the names.
#include "payload/xml.h"

#include <expat.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/bytes.h"

namespace belay::payload {

namespace {

constexpr uint32_t kNone = 0xFFFFFFFF;
constexpr size_t kPiece = size_t{64} << 10;  // fed to expat at once, so that a huge tag is noticed before it is taken apart

struct Span {
  uint32_t begin = 0, size = 0;
};
struct Attribute {
  Span name, value;
};
struct Element {
  Span name, text;
  uint32_t first_attribute = 0, attributes = 0;
  uint32_t first_child = kNone, last_child = kNone, next = kNone, children = 0;
  bool is_plain() const { return attributes == 0 && children == 0; }
};

struct Tables {
  std::string bytes;  // names, values and text, one behind the other
  std::vector<Element> elements;
  std::vector<Attribute> attributes;

  Span keep(std::string_view text) {
    const Span span{static_cast<uint32_t>(bytes.size()), static_cast<uint32_t>(text.size())};
    bytes.append(text);
    return span;
  }
  std::string_view of(Span span) const { return std::string_view(bytes).substr(span.begin, span.size); }
};

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

class Reader {
 public:
  explicit Reader(const XmlLimits& limits) : limits_(limits), parser_(XML_ParserCreate("UTF-8"), XML_ParserFree) {}

  Result<Tables> run(std::string_view text) {
    if (!parser_) return Error{ErrorKind::full, "no memory for an XML parser"};
    XML_SetUserData(parser_.get(), this);
    XML_SetElementHandler(parser_.get(), on_start, on_end);
    XML_SetCharacterDataHandler(parser_.get(), on_text);
    XML_SetStartDoctypeDeclHandler(parser_.get(), on_doctype);
    size_t begun = 0;  // where the markup that expat waits to see whole begins
    for (size_t at = 0;;) {
      const size_t size = std::min(kPiece, text.size() - at);
      const bool last = at + size == text.size();
      const XML_Status status = XML_Parse(parser_.get(), text.data() + at, static_cast<int>(size), last ? XML_TRUE : XML_FALSE);
      at += size;
      if (!refused_.message.empty()) return refused_;
      if (status != XML_STATUS_OK) return invalid(XML_ErrorString(XML_GetErrorCode(parser_.get())) + place());
      if (last) return std::move(tables_);
      const XML_Index index = XML_GetCurrentByteIndex(parser_.get());
      if (index >= 0) begun = static_cast<size_t>(index);  // else expat has not looked at this piece yet
      if (at - begun > limits_.markup) {
        return Error{ErrorKind::full, "a tag, comment or instruction longer than " + std::to_string(limits_.markup) + " bytes" + place()};
      }
    }
  }

 private:
  // An element whose end has not come yet.
  struct Open {
    uint32_t element;
    size_t text;  // where its text begins in text_
    size_t run;   // where the text behind its last child begins there
  };

  static Reader& self(void* data) { return *static_cast<Reader*>(data); }
  static void on_start(void* data, const XML_Char* name, const XML_Char** attributes) { self(data).start(name, attributes); }
  static void on_end(void* data, const XML_Char*) { self(data).end(); }
  static void on_text(void* data, const XML_Char* text, int size) { self(data).text_.append(text, static_cast<size_t>(size)); }
  static void on_doctype(void* data, const XML_Char*, const XML_Char*, const XML_Char*, int) {
    self(data).refuse(invalid("a DOCTYPE is not accepted"));
  }

  std::string place() const {
    return " at line " + std::to_string(XML_GetCurrentLineNumber(parser_.get())) + ", column " +
           std::to_string(XML_GetCurrentColumnNumber(parser_.get()) + 1);
  }

  void refuse(Error error) {
    error.message += place();
    refused_ = std::move(error);
    XML_StopParser(parser_.get(), XML_FALSE);
  }
  void refuse_more_than(uint32_t limit, std::string_view what) {
    refuse({ErrorKind::full, "more than " + std::to_string(limit) + " " + std::string(what)});
  }

  void start(const char* name, const char** attributes) {
    if (open_.size() == limits_.depth) return refuse_more_than(limits_.depth, "elements inside each other");
    uint32_t count = 0;
    while (attributes[2 * size_t{count}] != nullptr) ++count;
    if (count > limits_.attributes) return refuse_more_than(limits_.attributes, "attributes of one element");
    if (tables_.elements.size() + tables_.attributes.size() + count >= limits_.nodes) {
      return refuse_more_than(limits_.nodes, "elements and attributes");
    }
    const auto index = static_cast<uint32_t>(tables_.elements.size());
    Element element{.name = tables_.keep(name), .first_attribute = static_cast<uint32_t>(tables_.attributes.size()), .attributes = count};
    for (uint32_t i = 0; i < count; ++i) {
      const Span attribute = tables_.keep(attributes[2 * size_t{i}]);
      tables_.attributes.push_back({attribute, tables_.keep(attributes[2 * size_t{i} + 1])});
    }
    if (!open_.empty()) enter_child(open_.back(), index);
    tables_.elements.push_back(element);
    open_.push_back({index, text_.size(), text_.size()});
  }

  void enter_child(Open& open, uint32_t child) {
    drop_blank_run(open);
    open.run = text_.size();
    Element& parent = tables_.elements[open.element];
    (parent.children == 0 ? parent.first_child : tables_.elements[parent.last_child].next) = child;
    parent.last_child = child;
    ++parent.children;
  }

  // Blanks between tags are layout, in an element that holds something else.
  void drop_blank_run(const Open& open) {
    if (is_blank(std::string_view(text_).substr(open.run))) text_.resize(open.run);
  }

  void end() {
    if (open_.empty() || !refused_.message.empty()) return;  // expat still ends an empty element that was refused
    const Open open = open_.back();
    open_.pop_back();
    Element& element = tables_.elements[open.element];
    if (!element.is_plain()) drop_blank_run(open);
    element.text = tables_.keep(std::string_view(text_).substr(open.text));
    text_.resize(open.text);
  }

  const XmlLimits& limits_;
  std::unique_ptr<XML_ParserStruct, void (*)(XML_Parser)> parser_;
  Tables tables_;
  std::vector<Open> open_;
  std::string text_;  // of all open elements: the innermost one's stands last
  Error refused_;
};

class Writer {
 public:
  explicit Writer(const Tables& tables) : tables_(tables) { out_.reserve(tables.bytes.size() + 16 * tables.elements.size()); }

  std::string run() {
    out_ += '{';
    name({}, tables_.elements[0].name);
    value(0);
    out_ += '}';
    return std::move(out_);
  }

 private:
  void name(std::string_view mark, Span span) {
    if (out_.back() != '{') out_ += ',';
    out_ += '"';
    out_ += mark;
    out_ += tables_.of(span);  // an XML name needs no escapes in JSON
    out_ += "\":";
  }

  // Recursion is bounded by XmlLimits::depth.
  void value(uint32_t index) {
    const Element& element = tables_.elements[index];
    if (element.is_plain()) return append_json_string(out_, tables_.of(element.text));
    out_ += '{';
    for (uint32_t i = 0; i < element.attributes; ++i) {
      const Attribute& attribute = tables_.attributes[element.first_attribute + i];
      name("@", attribute.name);
      append_json_string(out_, tables_.of(attribute.value));
    }
    children(element);
    if (element.text.size > 0) {
      if (out_.back() != '{') out_ += ',';
      out_ += "\"#text\":";
      append_json_string(out_, tables_.of(element.text));
    }
    out_ += '}';
  }

  std::string_view name_of(uint32_t element) const { return tables_.of(tables_.elements[element].name); }

  // Equal names together, each group at the place of its first member. `order_` serves as a stack for all levels.
  void children(const Element& parent) {
    const size_t base = order_.size();
    for (uint32_t child = parent.first_child; child != kNone; child = tables_.elements[child].next) order_.push_back(child);
    const size_t end = order_.size();
    std::sort(order_.begin() + base, order_.end(), [this](uint32_t a, uint32_t b) {
      const int by_name = name_of(a).compare(name_of(b));
      return by_name != 0 ? by_name < 0 : a < b;
    });
    for (size_t i = base; i < end; ++i) {
      if (i == base || name_of(order_[i]) != name_of(order_[i - 1])) order_.push_back(static_cast<uint32_t>(i));
    }
    const size_t groups_end = order_.size();
    std::sort(order_.begin() + end, order_.end(), [this](uint32_t a, uint32_t b) { return order_[a] < order_[b]; });
    for (size_t group = end; group < groups_end; ++group) {
      const size_t first = order_[group];
      name({}, tables_.elements[order_[first]].name);
      size_t behind = first + 1;
      while (behind < end && name_of(order_[behind]) == name_of(order_[first])) ++behind;
      if (behind - first > 1) out_ += '[';
      for (size_t i = first; i < behind; ++i) {
        if (i > first) out_ += ',';
        value(order_[i]);
      }
      if (behind - first > 1) out_ += ']';
    }
    order_.resize(base);
  }

  const Tables& tables_;
  std::string out_;
  std::vector<uint32_t> order_;
};

}  // namespace

Result<std::string> xml_to_json(std::string_view text, const XmlLimits& limits) {
  auto tables = Reader(limits).run(text);
  if (!tables) return tables.error();
  return Writer(*tables).run();
}

std::string_view declared_encoding(std::string_view text) {
  if (!text.starts_with("<?xml")) return {};
  const std::string_view declaration = text.substr(0, std::min(text.find("?>"), text.size()));
  size_t at = declaration.find("encoding");
  if (at == std::string_view::npos) return {};
  at = declaration.find_first_of("\"'", at);
  if (at == std::string_view::npos) return {};
  const size_t close = declaration.find(declaration[at], at + 1);
  return close == std::string_view::npos ? std::string_view() : declaration.substr(at + 1, close - at - 1);
}

}  // namespace belay::payload
