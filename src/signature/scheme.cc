#include "signature/scheme.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "conf/documented.h"
#include "signature/http_signature.h"
#include "signature/single_check.h"

namespace belay::signature {

namespace {

constexpr std::string_view kNoneApplies = "no check of the scheme applies to this request";
constexpr std::string_view kUrl = "url";  // in params: the endpoint as the sender knows it

constexpr conf::Setting kSeveralSettings[] = {
    {.key = "any", .type = conf::Type::node, .help = "checks of which one must hold", .example = "[{ algorithm: hmac-sha256, signature: { header: X-Signature } }, { algorithm: equal, signature: { header: X-Token } }]"},
    {.key = "all", .type = conf::Type::node, .help = "checks that must hold where they apply, at least one", .example = "[{ algorithm: equal, signature: { header: X-Token } }, { algorithm: hmac-sha256, signature: { header: X-Signature } }]"},
    {.key = "timestamp", .type = conf::Type::node, .help = "for the checks that have none of their own", .example = "{ header: X-Timestamp, tolerance: 5m }"},
    {.key = "replay", .type = conf::Type::duration, .range = kReplayRange, .help = kReplayHelp, .example = "10m"},
};
const conf::Documented kSourcesVerifySeveralDocumented("sources.NAME.verify with several checks", kSeveralSettings);

class Several final : public Check {
 public:
  Several(bool all, std::vector<std::unique_ptr<Check>> checks) : all_(all), checks_(std::move(checks)) {}

  Finding check(Work& work) const override { return all_ ? check_all(work) : check_any(work); }

  Result<bool> sign(Draft& draft, const Keyring& keyring, const std::string& url, WallTime now,
                    KeySource* keys) const override {
    bool applied = false;
    for (const auto& one : checks_) {
      const auto done = one->sign(draft, keyring, url, now, keys);
      if (!done || (*done && !all_)) return done;
      applied = applied || *done;
    }
    return applied;
  }

  // Of all: the strongest that is always made; where each has a condition, the weakest. Of any: the weakest.
  Trust trust() const override {
    Trust weakest = Trust::signed_fresh, always = Trust::unknown;
    for (const auto& one : checks_) {
      weakest = std::min(weakest, one->trust());
      if (!one->conditional()) always = std::max(always, one->trust());
    }
    return all_ && always != Trust::unknown ? always : weakest;
  }
  bool proves() const override {
    const auto one = [](const auto& check) { return check->proves(); };
    return all_ ? std::any_of(checks_.begin(), checks_.end(), one) : std::all_of(checks_.begin(), checks_.end(), one);
  }
  // Of any, sign() makes the first.
  bool can_sign() const override {
    return all_ ? std::all_of(checks_.begin(), checks_.end(), [](const auto& one) { return one->can_sign(); }) : checks_.front()->can_sign();
  }
  // Of all: one that is always made and tells them, or every one that proves something. Of any: every one.
  bool tells_replays() const override {
    const auto tells = [this](const auto& check) { return check->tells_replays() || (all_ && !check->proves()); };
    const auto always = [](const auto& check) { return check->tells_replays() && !check->conditional(); };
    return std::all_of(checks_.begin(), checks_.end(), tells) || (all_ && std::any_of(checks_.begin(), checks_.end(), always));
  }
  bool conditional() const override {
    return std::all_of(checks_.begin(), checks_.end(), [](const auto& one) { return one->conditional(); });
  }
  bool reads_url() const override {
    return std::any_of(checks_.begin(), checks_.end(), [](const auto& one) { return one->reads_url(); });
  }
  bool covers_url() const override {
    return std::any_of(checks_.begin(), checks_.end(), [](const auto& one) { return one->covers_url(); });
  }
  bool dates_with(std::string_view field) const override {
    return std::any_of(checks_.begin(), checks_.end(), [&](const auto& one) { return one->dates_with(field); });
  }
  std::string timestamp_of(Work& work) const override {
    for (const auto& one : checks_) {
      if (std::string text = one->timestamp_of(work); !text.empty()) return text;
    }
    return {};
  }

 private:
  // One that proves something must be among those that apply: what the others compare the sender may have written itself.
  Finding check_all(Work& work) const {
    bool proved = false;
    const size_t before = work.proven_size();
    std::string always;  // what a check proves that no part of the request can switch off
    for (const auto& one : checks_) {
      const size_t mark = work.proven_size();
      Finding finding = one->check(work);
      if (finding.is == Finding::Is::inapplicable) continue;
      if (!finding.genuine()) return finding;
      proved = proved || one->proves();
      if (always.empty() && !one->conditional() && work.proven_size() > mark) always = work.proven->substr(mark);
    }
    if (!always.empty()) work.proven->replace(before, std::string::npos, always);
    return proved ? Finding{} : Finding{Finding::Is::inapplicable, kNoneApplies, {}};
  }

  // A key that is on its way, or cannot be had, may make one of them hold.
  Finding check_any(Work& work) const {
    Finding worst{Finding::Is::inapplicable, kNoneApplies, {}};
    for (const auto& one : checks_) {
      const size_t mark = work.proven_size();
      Finding finding = one->check(work);
      if (finding.genuine()) return finding;
      if (work.proven != nullptr) work.proven->resize(mark);
      if (finding.is > worst.is) worst = std::move(finding);
    }
    return worst;
  }

  bool all_;
  std::vector<std::unique_ptr<Check>> checks_;
};

struct Builder {
  const Keyring& keyring;
  const conf::Position& where;
  conf::Problems& problems;
  std::span<const conf::Setting> beside;  // in the outermost mapping

  std::unique_ptr<Check> build(const conf::Node& node, const conf::Node& timestamp, int depth) const {
    if (node.is_list()) return several(true, node, timestamp, depth);
    if (!node.is_map()) {
      problems.add(node.position(), "verify must be a mapping, or a list of them",
                   "write verify: { algorithm: hmac-sha256, signature: { header: NAME } }, or preset: NAME");
      return nullptr;
    }
    if (depth > 0 && node.at("replay").present()) {
      problems.add(node.at("replay").position(), "replay is said once for the whole scheme", "write verify: { all: [ … ], replay: 10m }");
      return nullptr;
    }
    const std::span<const conf::Setting> others = depth == 0 ? beside : std::span<const conf::Setting>();
    if (node.at("any").present() || node.at("all").present()) {
      const std::vector<conf::Setting> settings = with_others(kSeveralSettings, others);
      const conf::Section section(node, settings, problems);
      const bool all = section.has("all");
      if (all && section.has("any")) section.wrong("any", "any and all exclude each other", "put one inside the other");
      return several(all, section.node(all ? "all" : "any"), section.has("timestamp") ? section.node("timestamp") : timestamp,
                     depth);
    }
    if (node.at("algorithm").text() == "rfc9421") return HttpSignatureCheck::build(node, keyring, where, problems, others);
    return SingleCheck::build(node, timestamp, keyring, where, problems, others);
  }

 private:
  std::unique_ptr<Check> several(bool all, const conf::Node& list, const conf::Node& timestamp, int depth) const {
    if (!list.is_list() || list.items().empty() || list.items().size() > Scheme::kMaxChecks || depth >= Scheme::kMaxDepth) {
      problems.add(list.position(), "any and all are lists of 1 to 8 checks, at most 3 deep",
                   "write any: [ { algorithm: … }, { algorithm: … } ]");
      return nullptr;
    }
    std::vector<std::unique_ptr<Check>> checks;
    for (const conf::Node& item : list.items()) {
      if (auto check = build(item, timestamp, depth + 1)) checks.push_back(std::move(check));
    }
    if (checks.size() != list.items().size()) return nullptr;
    return std::make_unique<Several>(all, std::move(checks));
  }
};

}  // namespace

std::unique_ptr<Scheme> Scheme::build(const conf::Node& node, Keyring keyring, const conf::Position& where,
                                      conf::Problems& problems, std::span<const conf::Setting> beside,
                                      const conf::Node& replay) {
  const size_t before = problems.all().size();
  std::unique_ptr<Scheme> scheme(new Scheme());
  scheme->keyring_ = std::make_unique<const Keyring>(std::move(keyring));
  scheme->root_ = Builder{*scheme->keyring_, where, problems, beside}.build(node, conf::Node(), 0);
  if (!scheme->root_ || problems.all().size() != before) return nullptr;
  if (!scheme->root_->proves()) {
    problems.add(node.position(), "this proves nothing: no secret has a part in it", "name a secret in over, or add a check that is made with one");
    return nullptr;
  }
  scheme->read_replay(replay.present() ? replay : node.at("replay"), problems);
  if (problems.all().size() != before) return nullptr;
  scheme->url_is_given_ = scheme->root_->reads_url() && scheme->keyring_->params.contains(kUrl);
  return scheme;
}

void Scheme::read_replay(const conf::Node& replay, conf::Problems& problems) {
  if (!replay.present()) return;
  if (const auto window = conf::parse_duration(replay.text())) replay_ = *window;  // its range has been checked
  if (!root_->tells_replays()) {
    problems.add(replay.position(), "what this scheme proves is the same for many webhooks, so a replay cannot be told",
                 "remove replay; dedupe tells retries");
  }
}

Finding Scheme::check(payload::RequestContext& context, WallTime now, KeySource* keys, std::string* proven) const {
  Work work(context, *keyring_, now, keys);
  work.proven = proven;
  std::string url;
  if (url_is_given_) {
    url = public_url(keyring_->params.find(kUrl)->second, context.view());
    work.lent.url = url;
  }
  Finding finding = root_->check(work);
  if (finding.is == Finding::Is::inapplicable) finding.is = Finding::Is::refused;
  if (finding.is == Finding::Is::refused && work.cut_short)
    finding = {Finding::Is::unavailable, "checking the signature takes more work than its limit", {}};
  BELAY_CHECK_NOTE(!finding.genuine() || proven == nullptr || replay_.count() == 0 || !proven->empty(), "a scheme that tells replays proved nothing");
  return finding;
}

std::string Scheme::timestamp_of(payload::RequestContext& context) const {
  Work work(context, *keyring_, context.view().received, nullptr);
  return root_->timestamp_of(work);
}

Result<Scheme::Signed> Scheme::sign(payload::RequestContext& request, WallTime now, KeySource* keys) const {
  Draft draft(request.view());
  std::string url;
  if (url_is_given_) {
    url = public_url(keyring_->params.find(kUrl)->second, request.view());
  } else if (root_->reads_url()) {
    url = request.variable(rules::Variable::url).text();
  }
  if (auto done = root_->sign(draft, *keyring_, url, now, keys); !done) return done.error();
  Signed out;
  out.fields.assign(draft.fields().begin(), draft.fields().end());
  out.query = draft.query();
  out.body = draft.body();
  return out;
}

std::string public_url(std::string_view given, const payload::RequestView& request) {
  if (request.head->query.empty()) return std::string(given);
  // In place of its own: a query that nobody signed must not be read by rules and backends.
  std::string url(given.substr(0, given.find('?')));
  return url.append("?").append(request.head->query);
}

}  // namespace belay::signature
