// Changes to a JSON text that leave every byte no change names as it was: numbers, escapes, key order, spacing. Compiled
// when rules load (set, remove, rename, keep, then finish()), const and shared afterwards, any thread; applied in one
// pass over the text, without a tree of it.
// Every path names the text as received, whatever the order of the changes: set `a` and rename `a` act on the same member.
//   set     writes a value in place, or adds the member behind the others; missing objects on the way are made (also in
//           place of null). A list gets no new elements.
//   remove  takes a member or element out; nothing to do where there is none.
//   rename  gives a member another name in its place.
//   keep    leaves only what keep names, beside what set and rename name.
// Members are added in the order their paths were first named, in the spacing of their object's first two members. Limits: kMaxChanges, kMaxOutput.
// Failure: contradictory changes are refused by set()… and finish(); a text that does not fit them by apply().
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "json/path.h"

namespace belay::json {

class Edit {
 public:
  static constexpr size_t kMaxChanges = 1000;
  static constexpr size_t kMaxOutput = size_t{64} << 20;

  Edit();
  Edit(Edit&&) noexcept;
  Edit& operator=(Edit&&) noexcept;
  ~Edit();

  // The value of the n-th set() is values[n] of apply().
  Result<void> set(std::string_view path);
  Result<void> remove(std::string_view path);
  Result<void> rename(std::string_view path, std::string_view name);
  Result<void> keep(std::string_view path);
  // After the last change: what contradicts across changes.
  Result<void> finish();

  // What rename does where there is nothing to rename.
  enum class Absent : uint8_t { refuse, ignore };
  // Appends the changed text. `values`: JSON texts; one with a null data() leaves its place as it is. On an error `out`
  // holds a part.
  Result<void> apply(const Document& document, std::span<const std::string_view> values, Absent absent,
                     std::string& out) const;

  struct Node;  // a place that changes name, or that leads to one

 private:
  Result<Node*> reach(std::string_view path);

  std::unique_ptr<Node> root_;
  uint32_t sets_ = 0;
  size_t changes_ = 0;
  bool keeps_ = false;
};

}  // namespace belay::json
