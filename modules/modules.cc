#include "modules/modules.h"

#include <array>

#include "modules/allow/allow.h"
#include "modules/auth/auth.h"
#include "modules/dedupe/dedupe.h"
#include "modules/decode/decode.h"
#include "modules/deliver/deliver.h"
#include "modules/filter/filter.h"
#include "modules/handshake/handshake.h"
#include "modules/identify/identify.h"
#include "modules/limit/limit.h"
#include "modules/log/log.h"
#include "modules/match/match.h"
#include "modules/reject/reject.h"
#include "modules/route/route.h"
#include "modules/schema/schema.h"
#include "modules/transform/transform.h"
#include "modules/verify/verify.h"

namespace belay::modules {

std::span<const pipeline::Module> all() {
  // THE list, in run order. Built at the first use: the entries are constants of other files.
  static const std::array kModules = {kMatch, kAllow, kAuth, kLimit, kHandshake, kVerify, kLimitProved,
                                      kDecode, kIdentify, kSchema, kDedupe, kFilter, kRoute, kTransform,
                                      kDeliver, kReject, kLog};
  return kModules;
}

}  // namespace belay::modules
