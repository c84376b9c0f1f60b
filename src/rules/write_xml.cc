#include "base/bytes.h"
#include "rules/escape.h"
#include "rules/expression.h"
#include "rules/node.h"
#include "rules/write.h"

namespace belay::rules {

namespace {

class XmlWriter {
 public:
  XmlWriter(std::string& out, Arena& arena) : out_(out), arena_(arena), most_(out.size() + kMaxResult) {}

  Result<void> top(const Value& value, bool document) {
    if (value.kind() == Kind::optional && value.inside() != nullptr) return top(*value.inside(), document);
    const bool map = value.kind() == Kind::map;
    if (document && (!map || size_of(value) != 1)) {
      return invalid("an XML document has one root element: write a mapping with one key");
    }
    if (!map) return value.kind() == Kind::list ? Result<void>(nameless_list()) : text(value, XmlPlace::element);
    bool only_attributes = true;
    if (auto done = attributes(value, false, only_attributes); !done) return done;
    if (auto done = children(value); !done) return done;
    if (document && (elements_ != 1 || text_at_top_)) return invalid("an XML document has one root element, not several");
    return {};
  }

 private:
  static Error nameless_list() { return invalid("a list inside a list or at the top has no XML form: its elements have no name"); }

  Result<void> member_name(const Value& key, std::string_view& name) {
    const Value plain = key.plain(arena_);
    if (plain.is_error()) return plain.to_error();
    if (plain.kind() != Kind::string) return invalid("a map with " + std::string(to_string(plain.kind())) + " keys has no XML form");
    name = plain.text();
    return {};
  }

  Result<void> checked_name(std::string_view name) {
    if (is_xml_name(name)) return {};
    return invalid("'" + printable(name, 60) + "' is no name of an XML element or attribute");
  }

  Result<void> text(const Value& value, XmlPlace place) {
    if (value.kind() == Kind::bytes) {
      append_xml_text(out_, base64_encode(value.text()), place);
    } else if (value.kind() == Kind::string) {
      const Value plain = value.plain(arena_);
      if (plain.is_error()) return plain.to_error();
      append_xml_text(out_, plain.text(), place);
    } else {
      scratch_.clear();
      if (auto done = value.append_text(scratch_); !done) return done;
      append_xml_text(out_, scratch_, place);
    }
    return room();
  }

  Result<void> room() const {
    if (out_.size() <= most_) return {};
    return Error{ErrorKind::full, "the XML is larger than 16 MB"};
  }

  // Writes the attributes among the members; `none_else`: there is nothing but attributes. `allowed` is false at the top.
  Result<void> attributes(const Value& map, bool allowed, bool& none_else) {
    Cursor cursor(map, arena_);
    Value key, value;
    while (cursor.next(key, value)) {
      std::string_view name;
      if (auto done = member_name(key, name); !done) return done;
      if (!name.starts_with('@')) {
        none_else = false;
        continue;
      }
      name.remove_prefix(1);
      if (auto done = checked_name(name); !done) return done;
      if (!allowed) return invalid("attribute '@" + printable(name, 60) + "' stands outside of an element");
      if (value.kind() == Kind::list || value.kind() == Kind::map) {
        return invalid("attribute '@" + printable(name, 60) + "' is a " + std::string(to_string(value.kind())) + ", not text");
      }
      out_.append(1, ' ').append(name).append("=\"");
      if (auto done = text(value, XmlPlace::attribute); !done) return done;
      out_.push_back('"');
    }
    return {};
  }

  Result<void> children(const Value& map) {
    ++depth_;
    Cursor cursor(map, arena_);
    Value key, value;
    while (cursor.next(key, value)) {
      std::string_view name;
      if (auto done = member_name(key, name); !done) return done;
      if (name.starts_with('@')) continue;
      if (name == "#text") {
        if (depth_ == 1) text_at_top_ = true;
        if (value.kind() == Kind::list || value.kind() == Kind::map) return invalid("'#text' is not text");
        if (auto done = text(value, XmlPlace::element); !done) return done;
        continue;
      }
      if (auto done = checked_name(name); !done) return done;
      if (auto done = elements(name, value); !done) return done;
    }
    --depth_;
    return {};
  }

  Result<void> elements(std::string_view name, const Value& value) {
    if (value.kind() != Kind::list) return element(name, value);
    Cursor cursor(value, arena_);
    Value key, item;
    while (cursor.next(key, item)) {
      if (item.kind() == Kind::list) return nameless_list();
      if (auto done = element(name, item); !done) return done;
    }
    return {};
  }

  Result<void> element(std::string_view name, const Value& value) {
    if (value.kind() == Kind::optional && value.inside() != nullptr) return elements(name, *value.inside());
    if (depth_ == 1) ++elements_;
    out_.append(1, '<').append(name);
    bool empty = true;
    if (value.kind() == Kind::map) {
      if (auto done = attributes(value, true, empty); !done) return done;
    }
    out_.push_back('>');
    const size_t before = out_.size();
    if (auto done = value.kind() == Kind::map ? children(value) : text(value, XmlPlace::element); !done) return done;
    if (out_.size() == before) {
      out_.back() = '/';
      out_.push_back('>');
    } else {
      out_.append("</").append(name).append(1, '>');
    }
    return room();
  }

  std::string& out_;
  Arena& arena_;
  const size_t most_;
  std::string scratch_;
  int depth_ = 0;
  size_t elements_ = 0;  // at the top
  bool text_at_top_ = false;
};

}  // namespace

Result<void> append_xml(std::string& out, const Value& value, Arena& arena) { return XmlWriter(out, arena).top(value, false); }

Result<void> append_xml_document(std::string& out, const Value& value, Arena& arena) {
  out += "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  return XmlWriter(out, arena).top(value, true);
}

}  // namespace belay::rules
