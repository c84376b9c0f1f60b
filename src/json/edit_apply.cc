// Applying changes: one walk along the tree of changes; what lies between two changed places is copied in one piece.
#include "base/bytes.h"
#include "json/edit_node.h"

namespace belay::json {

namespace {

using Node = Edit::Node;

constexpr bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// Where the last thing before `at` ends, white space skipped.
const char* end_before(const char* at) {
  while (is_space(at[-1])) --at;
  return at;
}
// Where the member or element in front of the one at `at` ends: a comma stands between them.
const char* end_of_previous(const char* at) { return end_before(end_before(at) - 1); }

class Applier {
 public:
  Applier(const Document& document, std::span<const std::string_view> values, Edit::Absent absent, std::string& out)
      : document_(document), values_(values), absent_(absent), out_(out) {}

  Result<void> run(const Node& root, bool filter) {
    if (filter && !fits(root, document_.root()) && !writes(root)) {
      return invalid("the payload is a JSON " + std::string(to_string(document_.type(document_.root()))) +
                     ", keep names what is inside another type");
    }
    const std::string_view text = document_.text();
    copy(text.data(), begin(document_.root()));
    if (!value(root, document_.root(), filter)) return error_;
    copy(end(document_.root()), text.data() + text.size());
    return {};
  }

 private:
  static constexpr size_t kMaxStyle = 64;  // bytes of spacing that an added member copies

  // A member or element that some change names.
  struct Touched {
    Ref lead;  // the member's name, or the element
    Ref value;
    const Node* node;
  };

  const char* begin(Ref ref) const { return document_.raw(ref).data(); }
  const char* end(Ref ref) const { return document_.raw(ref).data() + document_.raw(ref).size(); }
  void copy(const char* from, const char* to) { out_.append(from, static_cast<size_t>(to - from)); }

  bool fail(std::string message) {
    error_ = invalid(std::move(message));
    return false;
  }
  bool absent(const Node& node) { return fail("no such key: " + printable(node.path, 80)); }

  bool given(const Node& node) const { return node.set != Node::kNoValue && values_[node.set].data() != nullptr; }
  bool writes(const Node& node) const {
    return given(node) || (node.sets && std::any_of(node.children.begin(), node.children.end(),
                                                    [this](const Node& child) { return writes(child); }));
  }
  // The changes below `node` can be looked for in the value.
  bool fits(const Node& node, Ref ref) const {
    return node.children.empty() || document_.type(ref) == (node.over_elements() ? Type::array : Type::object);
  }
  // Under keep: what stays. A value that holds nothing of what is selected below it goes.
  bool stays(const Touched& touched) const {
    const Node& node = *touched.node;
    if (node.keep || node.set != Node::kNoValue) return true;
    if (node.selects) return fits(node, touched.value) || writes(node);
    return node.renamed;
  }

  bool value(const Node& node, Ref ref, bool filter) {
    if (given(node)) {
      out_ += values_[node.set];
    } else if (node.children.empty()) {
      out_ += document_.raw(ref);
    } else if (fits(node, ref)) {
      if (!container(node, ref, filter)) return false;
    } else if (writes(node)) {
      if (const Node* lost = lost_rename_below(node)) return absent(*lost);
      if (document_.type(ref) == Type::null && !node.over_elements()) return create(node);
      return fail("'" + printable(node.path.empty() ? "the payload" : node.path, 80) + "' leads into a JSON " +
                  std::string(to_string(document_.type(ref))));
    } else if (const Node* lost = lost_rename_below(node)) {
      return absent(*lost);
    } else {
      out_ += document_.raw(ref);
    }
    return has_room();
  }

  // Asked behind each value that is written: what stands between two of them is the payload's own.
  bool has_room() {
    if (out_.size() <= Edit::kMaxOutput) return true;
    error_ = Error{ErrorKind::full, "the edited payload is larger than 64 MB"};
    return false;
  }

  // Where the text has nothing: a rename that set does not give anything to act on. Null when there is none, or when that
  // is to be ignored.
  const Node* lost_rename(const Node& node) const {
    return node.renamed && absent_ == Edit::Absent::refuse && !writes(node) ? &node : lost_rename_below(node);
  }
  const Node* lost_rename_below(const Node& node) const {
    if (!node.renames) return nullptr;
    for (const Node& child : node.children) {
      if (const Node* lost = lost_rename(child)) return lost;
    }
    return nullptr;
  }

  bool container(const Node& node, Ref ref, bool filter) {
    const size_t base = touched_.size();
    const bool found = node.over_elements() ? find_elements(node, ref) : find_members(node, ref);
    const bool good = found && check_names(node, ref, base, filter) && write(node, ref, base, filter);
    touched_.resize(base);
    return good;
  }

  bool find_members(const Node& node, Ref ref) {
    const size_t base = touched_.size();
    for (const Node& child : node.children) {
      const Ref found = document_.find(ref, child.step.name);
      if (found != kNone) {
        touched_.push_back({Document::name_of(found), found, &child});
      } else if (const Node* lost = lost_rename(child)) {
        return absent(*lost);
      }
    }
    std::sort(touched_.begin() + static_cast<ptrdiff_t>(base), touched_.end(),
              [](const Touched& a, const Touched& b) { return a.lead < b.lead; });
    return true;
  }

  bool find_elements(const Node& node, Ref ref) {
    auto child = node.children.begin();
    const bool every = child->step.kind == Step::Kind::every;
    uint32_t index = 0;
    for (Ref at = document_.first(ref); at != kNone && child != node.children.end(); at = document_.next(ref, at), ++index) {
      if (!every && child->step.index != index) continue;
      touched_.push_back({at, at, &*child});
      if (!every) ++child;
    }
    for (; !every && child != node.children.end(); ++child) {
      if (writes(*child) || lost_rename(*child) != nullptr) return absent(*child);
    }
    return true;
  }

  // A member that gets a name which another one has, and keeps.
  bool check_names(const Node& parent, Ref ref, size_t base, bool filter) {
    for (const Node& node : parent.children) {
      if (!node.renamed) continue;
      const Ref self = document_.find(ref, node.step.name), other = document_.find(ref, node.new_name);
      if (other == kNone || other == self || (self == kNone && !writes(node))) continue;
      const auto changed = std::find_if(touched_.begin() + static_cast<ptrdiff_t>(base), touched_.end(),
                                        [other](const Touched& touched) { return touched.value == other; });
      const bool goes = changed == touched_.end() ? filter
                                                  : changed->node->remove || changed->node->renamed ||
                                                        (filter && !stays(*changed));
      if (!goes) {
        return fail("rename " + printable(node.path, 80) + ": '" + printable(node.new_name.name, 80) + "' is there already");
      }
    }
    return true;
  }

  // `at`: what stands before it is written or left out. While nothing was written it is where the next member begins,
  // afterwards where the last one ended, its comma still to come.
  bool write(const Node& node, Ref ref, size_t base, bool filter) {
    const char* const close = end(ref) - 1;
    const Ref first = document_.first(ref);
    const char* at = first == kNone ? close : begin(first);
    const char* const last_end = first == kNone ? close : end_before(close);
    copy(begin(ref), at);
    bool any = false;
    const size_t touched_count = touched_.size();
    for (size_t i = base; i < touched_count; ++i) {
      const Touched touched = touched_[i];
      const char* const lead = begin(touched.lead);
      if (!filter && at < lead && (!any || at < end_of_previous(lead))) {
        copy(at, end_of_previous(lead));
        any = true;
      }
      if (touched.node->remove || (filter && !stays(touched))) {
        const Ref next = any ? kNone : document_.next(ref, touched.lead);
        at = next == kNone ? end(touched.value) : begin(next);
        continue;
      }
      if (any) copy(end_of_previous(lead), lead);
      if (!member(touched, filter)) return false;
      at = end(touched.value);
      any = true;
    }
    if (!filter && at < last_end) {
      copy(at, last_end);
      any = true;
    }
    if (!node.over_elements() && !add(node, ref, any)) return false;
    if (any) {
      copy(last_end, close);
    } else if (first != kNone) {
      out_.resize(out_.find_last_not_of(" \n\r\t") + 1);  // nothing is left: {}
    }
    out_.push_back(*close);
    return true;
  }

  bool member(const Touched& touched, bool filter) {
    const Node& node = *touched.node;
    if (node.renamed) {
      append_json_string(out_, node.new_name.name);
      copy(end(touched.lead), begin(touched.value));
    } else {
      copy(begin(touched.lead), begin(touched.value));
    }
    return value(node, touched.value, filter && !node.keep && node.selects);
  }

  // Members that set names and that are not there.
  bool add(const Node& node, Ref ref, bool& any) {
    if (!node.sets) return true;
    std::string_view comma = ",", colon = ":";
    spacing(ref, comma, colon);
    for (const Node& child : node.children) {
      if (!child.sets || document_.find(ref, child.step.name) != kNone || !writes(child)) continue;
      if (any) out_ += comma;
      any = true;
      if (!added(child, colon)) return false;
    }
    return true;
  }

  bool added(const Node& child, std::string_view colon) {
    append_json_string(out_, child.renamed ? child.new_name.name : child.step.name.name);
    out_ += colon;
    return create(child);
  }

  // What stands between the first two members and inside the first.
  void spacing(Ref object, std::string_view& comma, std::string_view& colon) const {
    const Ref first = document_.first(object);
    if (first == kNone) return;
    const auto between = [](const char* from, const char* to, std::string_view& style) {
      if (static_cast<size_t>(to - from) <= kMaxStyle) style = {from, static_cast<size_t>(to - from)};
    };
    between(end(first), begin(Document::value_of(first)), colon);
    const Ref second = document_.next(object, first);
    if (second != kNone) between(end(Document::value_of(first)), begin(second), comma);
  }

  bool create(const Node& node) {
    if (given(node)) {
      out_ += values_[node.set];
      return has_room();
    }
    if (node.over_elements()) return absent(node.children.front());
    out_.push_back('{');
    bool any = false;
    for (const Node& child : node.children) {
      if (!writes(child)) continue;
      if (any) out_.push_back(',');
      any = true;
      if (!added(child, ":")) return false;
    }
    out_.push_back('}');
    return true;
  }

  const Document& document_;
  std::span<const std::string_view> values_;
  Edit::Absent absent_;
  std::string& out_;
  std::vector<Touched> touched_;
  Error error_;
};

}  // namespace

Result<void> Edit::apply(const Document& document, std::span<const std::string_view> values, Absent absent,
                         std::string& out) const {
  BELAY_CHECK_NOTE(values.size() == sets_, "json::Edit::apply() needs one value for each set()");
  return Applier(document, values, absent, out).run(*root_, keeps_);
}

}  // namespace belay::json
