#include "modules/allow/allow.h"

#include <algorithm>

#include "base/bytes.h"
#include "pipeline/trace.h"

namespace belay::modules {

void AddressRanges::add(const Cidr& block) {
  IpAddress last = block.base;
  for (size_t bit = block.prefix; bit < 128; ++bit) last.bytes[bit / 8] |= static_cast<uint8_t>(0x80U >> (bit % 8));
  ranges_.emplace_back(block.base, last);
}

void AddressRanges::finish() {
  std::sort(ranges_.begin(), ranges_.end());
  size_t kept = 0;
  for (const auto& range : ranges_) {
    if (kept > 0 && range.first <= ranges_[kept - 1].second) {
      ranges_[kept - 1].second = std::max(ranges_[kept - 1].second, range.second);
    } else {
      ranges_[kept++] = range;
    }
  }
  ranges_.resize(kept);
}

bool AddressRanges::contains(const IpAddress& address) const {
  const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), address,
                                      [](const IpAddress& wanted, const auto& range) { return wanted < range.first; });
  return after != ranges_.begin() && address <= std::prev(after)->second;
}

namespace {

class Allow final : public pipeline::Handler {
 public:
  pipeline::Verdict handle(pipeline::Exchange& exchange) const override {
    const pipeline::Client& client = exchange.client;
    if (exchange.trace != nullptr) exchange.trace->fact("client", client.text());
    if (client.unix_socket ? unix_socket : ranges.contains(client.address)) return pipeline::Verdict::next;
    exchange.answer(403, wire::Outcome::rejected, "allow: this address is not on the list");
    return pipeline::Verdict::reply;
  }

  AddressRanges ranges;
  bool unix_socket = false;
};

std::unique_ptr<pipeline::Handler> build(const conf::Node& settings, pipeline::BuildContext& context) {
  auto allow = std::make_unique<Allow>();
  if (!settings.is_list() && !settings.is_scalar()) {
    context.problems.add(settings.position(), "allow must be a list of addresses",
                         "write allow: [192.0.2.7, 10.0.0.0/8]");
    return nullptr;
  }
  if (settings.is_list() && settings.items().empty()) {
    context.problems.add(settings.position(), "allow lets nobody in", "remove allow, or list the sender's addresses");
  }
  const std::vector<conf::Node> single{settings};
  for (const conf::Node& item : settings.is_list() ? settings.items() : single) {
    if (item.text() == "unix:") {
      allow->unix_socket = true;
      continue;
    }
    const auto block = Cidr::parse(item.text());
    if (block) {
      allow->ranges.add(*block);
    } else {
      context.problems.add(item.position(), "allow: " + block.error().message);
    }
  }
  allow->ranges.finish();
  return allow;
}

}  // namespace

const pipeline::Module kAllow = {
    .key = "allow",
    .stage = pipeline::Stage::on_head,
    .help = "addresses that may send",
    .build = build,
};

}  // namespace belay::modules
