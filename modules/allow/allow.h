// allow: only listed addresses may send, everybody else gets 403. Blocks are merged into sorted ranges when rules load,
// so a list of thousands costs a binary search.
#pragma once

#include <utility>
#include <vector>

#include "base/ip.h"
#include "pipeline/module.h"

namespace belay::modules {

class AddressRanges {
 public:
  void add(const Cidr& block);
  void finish();  // after the last add
  bool contains(const IpAddress& address) const;
  size_t size() const { return ranges_.size(); }

 private:
  std::vector<std::pair<IpAddress, IpAddress>>
      ranges_;  // first and last address; disjoint and ascending after finish()
};

extern const pipeline::Module kAllow;

}  // namespace belay::modules
