// What a route says about when its webhooks are delivered: order, debounce, batch, delay and expire. Read with the rules, const,
// shared by requests. The spool keeps these promises (src/spool/groups.h); here a webhook gets the key it belongs to. A webhook
// without that key (an absent field, null, an empty text) is delivered on its own. Failure: a payload that cannot be read refuses
// the webhook; one that fits no batch is stored as dead.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "conf/section.h"
#include "pipeline/exchange.h"
#include "rules/expression.h"

namespace belay::modules {

class Shaping {
 public:
  // The keys in a route's mapping. Null: it has none of them, or they are wrong (then a problem is recorded).
  static std::unique_ptr<const Shaping> read(const conf::Section& route, const std::string& source);

  // Fills in what the spool needs to know. False: the webhook is refused, exchange.reply says why.
  bool apply(pipeline::Exchange& exchange, pipeline::Selected& to) const;

 private:
  bool read_order(const conf::Section& route);
  bool read_debounce(const conf::Section& route);
  bool read_batch(const conf::Section& route);
  bool check_times(const conf::Section& route) const;
  bool fits_batch(pipeline::Exchange& exchange, pipeline::Selected& to) const;

  std::unique_ptr<rules::Expression> key_;  // null: all have the same
  wire::Grouping grouping_;                 // without the key
  std::string scope_;                       // who shares keys: all routes of a source for order, else only this one
  std::string source_, word_;               // word_: "order", "debounce" or "batch"
  Duration delay_{0}, expire_{0};
  bool received_body_ = true;               // batch: no transform makes another body
};

}  // namespace belay::modules
