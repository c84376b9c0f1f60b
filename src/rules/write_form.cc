#include "base/bytes.h"
#include "rules/escape.h"
#include "rules/expression.h"
#include "rules/node.h"
#include "rules/write.h"

namespace belay::rules {

namespace {

constexpr std::string_view kOpen = "%5B", kClose = "%5D";  // [ ]

class FormWriter {
 public:
  FormWriter(std::string& out, Arena& arena) : out_(out), arena_(arena), most_(out.size() + kMaxResult) {}

  Result<void> top(const Value& value) {
    if (value.is_table()) return table(value);
    switch (value.kind()) {
      case Kind::optional: return value.inside() != nullptr ? top(*value.inside()) : text(value);
      case Kind::map: return members(value);
      case Kind::list: return invalid("a list at the top has no form: its elements have no name");
      default: return text(value);
    }
  }

 private:
  Result<void> text(const Value& value) {
    if (value.kind() == Kind::string) {
      const Value plain = value.plain(arena_);
      if (plain.is_error()) return plain.to_error();
      append_form_text(out_, plain.text());
    } else {
      scratch_.clear();
      if (auto done = value.append_text(scratch_); !done) return done;
      append_form_text(out_, scratch_);
    }
    if (out_.size() <= most_) return {};
    return Error{ErrorKind::full, "the form is larger than 16 MB"};
  }

  Result<void> pair(const Value& value) {
    if (any_) out_.push_back('&');
    any_ = true;
    out_.append(name_).append(1, '=');
    return text(value);
  }

  Result<void> table(const Value& value) {
    const Table& pairs = value.as_table();
    for (size_t i = 0; i < pairs.size(); ++i) {
      name_.clear();
      append_form_text(name_, pairs.name_at(i));
      const Value all = pairs.all(pairs.name_at(i), arena_);
      if (all.is_error()) return all.to_error();
      for (const Value& one : all.items()) {
        if (auto done = pair(one); !done) return done;
      }
    }
    return {};
  }

  // `name_` is the way to the value.
  Result<void> member(const Value& value) {
    switch (value.kind()) {
      case Kind::optional: return value.inside() != nullptr ? member(*value.inside()) : pair(value);
      case Kind::map: return members(value);
      case Kind::list: return elements(value);
      default: return pair(value);
    }
  }

  Result<void> members(const Value& map) {
    const size_t length = name_.size();
    Cursor cursor(map, arena_);
    Value key, value;
    while (cursor.next(key, value)) {
      const Value plain = key.plain(arena_);
      if (plain.is_error()) return plain.to_error();
      if (plain.kind() != Kind::string) return invalid("a map with " + std::string(to_string(plain.kind())) + " keys has no form");
      if (length > 0) name_ += kOpen;
      append_form_text(name_, plain.text());
      if (length > 0) name_ += kClose;
      if (auto done = member(value); !done) return done;
      name_.resize(length);
    }
    return {};
  }

  // The elements of a list need their numbers where they have something inside: a[][b]=1&a[][c]=2 might be one or two.
  Result<void> elements(const Value& list) {
    const size_t length = name_.size();
    Cursor cursor(list, arena_);
    Value key, item;
    while (cursor.next(key, item)) {
      name_ += kOpen;
      if (item.kind() == Kind::map || item.kind() == Kind::list) name_ += std::to_string(key.as_integer());
      name_ += kClose;
      if (auto done = member(item); !done) return done;
      name_.resize(length);
    }
    return {};
  }

  std::string& out_;
  Arena& arena_;
  const size_t most_;
  std::string name_, scratch_;  // name_: encoded
  bool any_ = false;
};

}  // namespace

Result<void> append_form(std::string& out, const Value& value, Arena& arena) { return FormWriter(out, arena).top(value); }

}  // namespace belay::rules
