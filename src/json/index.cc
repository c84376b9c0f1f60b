// Document::parse: simdjson's first stage finds where every token starts and checks UTF-8 and strings; the Indexer checks the
// grammar over these tokens and writes the entries; the names are entered into the hash table last, which finds duplicates.
#include <simdjson.h>

#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "json/document.h"
#include "json/hash.h"

namespace belay::json {

const HashSeed& hash_seed() {
  static const HashSeed seed = [] {
    SystemRandom random;
    return HashSeed{random.next() | 1, random.next() | 1};
  }();
  return seed;
}

namespace {

Error not_json(std::string what, size_t offset) {
  return invalid(std::move(what) + " at byte " + std::to_string(offset));
}

constexpr bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
constexpr auto kShortEscape = [] {
  std::array<bool, 256> table{};
  for (const char letter : {'"', '\\', '/', 'b', 'f', 'n', 'r', 't'}) table[static_cast<uint8_t>(letter)] = true;
  return table;
}();
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_hex(char c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }

// simdjson's first stage with its buffer of token offsets, kept per thread. Buffers for texts above kKept are given back.
class Tokens {
 public:
  static constexpr size_t kKept = size_t{256} << 10;

  Result<void> find(std::string_view text) {
    if (const auto error = reserve(text.size())) return io_error(simdjson::error_message(error));
    const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
    switch (const auto error = parser_->stage1(bytes, text.size(), simdjson::stage1_mode::regular)) {
      case simdjson::SUCCESS: return {};
      case simdjson::UTF8_ERROR: return invalid("bytes that are not UTF-8");
      case simdjson::UNESCAPED_CHARS: return invalid("control character inside a string");
      case simdjson::UNCLOSED_STRING: return not_json("string without its closing quote", text.size());
      case simdjson::EMPTY: return invalid("no value, the text is empty");
      default: return invalid(simdjson::error_message(error));
    }
  }
  const uint32_t* begin() const { return parser_->structural_indexes.get(); }
  uint32_t size() const { return parser_->n_structural_indexes; }
  void release() {
    if (capacity_ > kKept) {
      parser_.reset();
      capacity_ = 0;
    }
  }

 private:
  simdjson::error_code reserve(size_t bytes) {
    if (parser_ != nullptr && bytes <= capacity_) return simdjson::SUCCESS;
    capacity_ = std::bit_ceil(std::max(bytes, size_t{16} << 10));
    return simdjson::get_active_implementation()->create_dom_parser_implementation(capacity_, 1, parser_);
  }

  std::unique_ptr<simdjson::internal::dom_parser_implementation> parser_;
  size_t capacity_ = 0;
};

}  // namespace

// Entries are written through a pointer to 32-bit words: what the loop counts with is wider, so that the compiler may keep it in
// registers, and what is rare stands in functions of its own.
class Indexer {
 public:
  Indexer(Document& document, const Limits& limits, const uint32_t* tokens, uint32_t count)
      : document_(document), limits_(limits), text_(document.text_), tokens_(tokens), max_values_(limits.values), count_(count) {
    document_.entries_ = std::make_unique_for_overwrite<Document::Entry[]>(std::min(count, limits.values));
    entries_ = document_.entries_.get();
    open_.resize(std::min<size_t>(limits.depth, count));
    const void* escape = memchr(text_.data(), '\\', text_.size());
    next_escape_ = escape == nullptr ? std::string_view::npos : offset_of(escape);
  }

  Result<void> run() {
    const bool good = values();
    document_.entry_count_ = used();
    if (!good) return error_;
    if (at_ < count_) return not_json("something after the value", tokens_[at_]);
    if (names_ > 0 && !enter_names()) return error_;
    return {};
  }

 private:
  using Entry = Document::Entry;
  struct Open {
    Ref ref;
    uint32_t children;
    bool object;
  };

  size_t offset_of(const void* p) const { return static_cast<size_t>(static_cast<const char*>(p) - text_.data()); }
  char token() const { return at_ < count_ ? text_[tokens_[at_]] : '\0'; }
  size_t here() const { return at_ < count_ ? tokens_[at_] : text_.size(); }
  // Where the following token starts: everything between is this token and white space.
  size_t after() const { return at_ + 1 < count_ ? tokens_[at_ + 1] : text_.size(); }
  [[gnu::noinline]] bool fail(std::string_view what, size_t offset) {
    error_ = not_json(std::string(what), offset);
    return false;
  }

  [[gnu::noinline]] bool too_large(std::string&& what) {
    error_ = Error{ErrorKind::full, std::move(what)};
    return false;
  }

  [[gnu::always_inline]] Entry* add(size_t begin) {
    if (used_ == max_values_) [[unlikely]] {
      too_large("more than " + std::to_string(limits_.values) + " values");
      return nullptr;
    }
    Entry* entry = &entries_[used_++];
    entry->begin = static_cast<uint32_t>(begin);
    return entry;
  }
  uint32_t used() const { return static_cast<uint32_t>(used_); }

  // The whole text: one turn of the loop is one value with what leads to it and what closes behind it.
  bool values() {
    for (;;) {
      if (depth_ != 0 && open_[depth_ - 1].object && !name()) return false;
      const char first = token();
      if (first == '{' || first == '[') {
        if (!open(first == '{')) return false;
        if (token() != (first == '{' ? '}' : ']')) continue;
        close();
      } else if (!scalar(first)) {
        return false;
      }
      bool more = false;
      if (!behind_value(more)) return false;
      if (!more) return true;
    }
  }

  bool open(bool object) {
    if (depth_ == open_.size()) [[unlikely]] return too_large("nested deeper than " + std::to_string(limits_.depth));
    Entry* entry = add(here());
    if (entry == nullptr) return false;
    entry->info = static_cast<uint32_t>(object ? Type::object : Type::array);
    open_[depth_++] = {used() - 1, 0, object};
    ++at_;
    return true;
  }

  void close() {
    const Open done = open_[--depth_];
    Entry& entry = entries_[done.ref];
    entry.end = tokens_[at_] + 1;
    entry.next = used();
    entry.info |= done.children << Document::kCountShift;
    ++at_;
  }

  // Commas and closing brackets behind a complete value, up to where the next one must begin.
  bool behind_value(bool& more) {
    for (;;) {
      if (depth_ == 0) {
        more = false;
        return true;
      }
      Open& parent = open_[depth_ - 1];
      ++parent.children;
      const char c = token();
      if (c == ',') {
        ++at_;
        more = true;
        return true;
      }
      if (c != (parent.object ? '}' : ']')) {
        return fail(parent.object ? "expected ',' or '}'" : "expected ',' or ']'", here());
      }
      close();
    }
  }

  [[gnu::noinline]] uint64_t hash_escaped() const {
    std::string scratch;
    const std::string_view decoded = document_.string(used() - 1, scratch);
    return hash_name(decoded, seed_, decoded.size());
  }

  [[gnu::always_inline]] bool name() {
    if (token() != '"') return fail("expected a member name in quotes", here());
    Entry* entry = add(here());
    if (entry == nullptr || !string(*entry)) return false;
    entry->next = open_[depth_ - 1].ref;
    uint64_t hash = 0;
    if ((entry->info & Document::kEscaped) != 0) {
      hash = hash_escaped();
    } else {
      const size_t begin = entry->begin + size_t{1};
      hash = hash_name({text_.data() + begin, entry->end - begin - 1}, seed_, text_.size() - begin);
    }
    entry->info |= Document::kName | name_mark(hash) << Document::kCountShift;
    ++names_;
    ++at_;
    if (token() != ':') return fail("expected ':'", here());
    ++at_;
    return true;
  }

  [[gnu::always_inline]] bool scalar(char first) {
    // Each entry stands for a token, which is what bounds their number.
    if (at_ >= count_) return fail("expected a value, the text ends", here());
    Entry* entry = add(here());
    if (entry == nullptr) return false;
    bool good = false;
    switch (first) {
      case '"': good = string(*entry); break;
      case 't': good = literal(*entry, "true", Type::boolean); break;
      case 'f': good = literal(*entry, "false", Type::boolean); break;
      case 'n': good = literal(*entry, "null", Type::null); break;
      default: good = number(*entry, first); break;
    }
    entry->next = used();
    ++at_;
    return good;
  }

  bool literal(Entry& entry, std::string_view word, Type type) {
    const size_t end = entry.begin + word.size();
    if (text_.substr(entry.begin, word.size()) != word || !ends_at(end)) return fail("expected a value", entry.begin);
    entry.end = static_cast<uint32_t>(end);
    entry.info = static_cast<uint32_t>(type);
    return true;
  }

  // A token that is followed by anything else than white space up to the next one was not what it looked like.
  bool ends_at(size_t end) const { return end == after() || is_space(text_[end]); }

  bool number(Entry& entry, char first) {
    if (first != '-' && !is_digit(first)) return fail("expected a value", here());
    size_t i = entry.begin + (first == '-' ? 1U : 0U);
    bool integer = true;
    const auto digits = [&] {
      const size_t from = i;
      while (i < text_.size() && is_digit(text_[i])) ++i;
      return i - from;
    };
    const size_t lead = i;
    const size_t count = digits();
    bool good = count > 0 && (count == 1 || text_[lead] != '0');
    if (good && i < text_.size() && text_[i] == '.') {
      integer = false;
      ++i;
      good = digits() > 0;
    }
    if (good && i < text_.size() && (text_[i] | 0x20) == 'e') {
      integer = false;
      ++i;
      if (i < text_.size() && (text_[i] == '+' || text_[i] == '-')) ++i;
      good = digits() > 0;
    }
    if (!good || !ends_at(i)) return fail("malformed number", entry.begin);
    entry.end = static_cast<uint32_t>(i);
    entry.info = static_cast<uint32_t>(Type::number) | (integer ? Document::kInteger : 0);
    return true;
  }

  [[gnu::always_inline]] bool string(Entry& entry) {
    size_t last = after() - 1;
    while (last > entry.begin && is_space(text_[last])) --last;
    if (last == entry.begin || text_[last] != '"') return fail("malformed string", entry.begin);
    entry.end = static_cast<uint32_t>(last + 1);
    entry.info = static_cast<uint32_t>(Type::string);
    if (next_escape_ >= last) return true;
    entry.info |= Document::kEscaped;
    return escapes(last);
  }

  [[gnu::noinline]] bool escapes(size_t last) {
    while (next_escape_ < last) {
      const auto letter = static_cast<uint8_t>(text_[next_escape_ + 1]);
      const size_t length = letter == 'u' ? unicode_escape(next_escape_, last) : kShortEscape[letter] ? 2 : 0;
      if (length == 0) return fail("invalid escape", next_escape_);
      const size_t from = next_escape_ + length;
      if (from < last && text_[from] == '\\') {  // a text of nothing but escapes costs no search for each
        next_escape_ = from;
        continue;
      }
      const void* found = memchr(text_.data() + from, '\\', text_.size() - from);
      next_escape_ = found == nullptr ? std::string_view::npos : offset_of(found);
    }
    return true;
  }

  // Length of the \uXXXX or surrogate pair at `at`; 0 when it is neither.
  size_t unicode_escape(size_t at, size_t last) const {
    const auto unit = [&](size_t from) -> int {
      if (from + 6 > last || text_[from] != '\\' || text_[from + 1] != 'u') return -1;
      int value = 0;
      for (size_t i = from + 2; i < from + 6; ++i) {
        if (!is_hex(text_[i])) return -1;
        value = value * 16 + (is_digit(text_[i]) ? text_[i] - '0' : (text_[i] | 0x20) - 'a' + 10);
      }
      return value;
    };
    const int high = unit(at);
    if (high < 0 || (high >= 0xDC00 && high < 0xE000)) return 0;
    if (high < 0xD800 || high >= 0xE000) return 6;
    const int low = unit(at + 6);
    return low >= 0xDC00 && low < 0xE000 ? 12 : 0;
  }

  bool enter_names() {
    const auto slots = static_cast<uint32_t>(std::bit_ceil(names_ * 2 + 1));
    document_.slot_mask_ = slots - 1;
    document_.slots_ = std::make_unique_for_overwrite<Ref[]>(slots);
    std::fill_n(document_.slots_.get(), slots, kNone);
    const Ref count = used();
    for (Ref ref = 0; ref < count; ++ref) {
      const Entry& entry = entries_[ref];
      if ((entry.info & Document::kName) != 0 && !enter(ref, entry)) return false;
    }
    return true;
  }

  bool enter(Ref ref, const Entry& entry) {
    const uint32_t mark = entry.info >> Document::kCountShift, mask = document_.slot_mask_;
    Ref* const slots = document_.slots_.get();
    uint32_t slot = slot_of(entry.next, mark) & mask;
    for (; slots[slot] != kNone; slot = (slot + 1) & mask) {
      const Entry& there = entries_[slots[slot]];
      if (there.next != entry.next || there.info >> Document::kCountShift != mark) continue;
      std::string scratch;
      const std::string_view name = document_.string(ref, scratch);
      if (document_.name_equals(slots[slot], name)) return fail("duplicate member \"" + printable(name, 40) + '"', entry.begin);
    }
    slots[slot] = ref;
    return true;
  }

  Document& document_;
  const Limits& limits_;
  std::string_view text_;
  const HashSeed seed_ = hash_seed();
  const uint32_t* tokens_;
  Entry* entries_ = nullptr;
  size_t used_ = 0;
  size_t max_values_;
  size_t count_;
  size_t at_ = 0;
  size_t next_escape_;
  std::vector<Open> open_;  // as deep as may be; the first depth_ are open
  size_t depth_ = 0;
  Error error_;
  size_t names_ = 0;  // not beside at_: the two would be counted as one vector, and at_ is read at once
};

Result<std::unique_ptr<const Document>> Document::parse(std::string_view text, const Limits& limits) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte order mark may be ignored: RFC 8259 §8.1
  if (text.size() > limits.bytes || text.size() >= std::numeric_limits<uint32_t>::max()) {
    return Error{ErrorKind::full, "JSON text larger than " + std::to_string(limits.bytes) + " bytes"};
  }
  std::unique_ptr<Document> document(new Document);
  document->text_ = text;
  thread_local Tokens tokens;
  if (auto found = tokens.find(text); !found) return found.error();
  const auto done = Indexer(*document, limits, tokens.begin(), tokens.size()).run();
  tokens.release();
  if (!done) return done.error();
  return std::unique_ptr<const Document>(std::move(document));
}

Result<std::unique_ptr<const Document>> Document::parse_owned(std::string text, const Limits& limits) {
  auto holder = std::make_unique<std::string>(std::move(text));
  auto parsed = parse(*holder, limits);
  if (!parsed) return parsed.error();
  auto document = std::unique_ptr<Document>(const_cast<Document*>(parsed.value().release()));
  document->owned_ = std::move(holder);
  return std::unique_ptr<const Document>(std::move(document));
}

}  // namespace belay::json
