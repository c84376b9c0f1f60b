#include "sim/world.h"

#include "sim/damage.h"

namespace belay::sim {

namespace {

constexpr int kTurns = 200;  // of one step; more: it never becomes idle
constexpr Duration kBackWithin{5'000};

}  // namespace

Plan World::plan_of(Dice dice, Engine engine) {
  Plan plan;
  plan.calm = dice.chance(0.1);
  plan.crashes = !plan.calm && dice.chance(0.8);
  plan.worker_crashes = !plan.calm && dice.chance(0.2);
  plan.clock_jumps = !plan.calm && dice.chance(0.3);
  plan.full_disk = !plan.calm && dice.chance(0.2);
  plan.operators = dice.chance(0.6);
  plan.damage = engine == Engine::lmdb && plan.crashes && dice.chance(0.15);
  if (engine == Engine::lmdb && plan.full_disk && dice.chance(0.5)) plan.map_bytes = uint64_t{3} << 20;
  return plan;
}

World::World(const Options& options)
    : options_(options),
      rules_(rules_of(options.seed)),
      dice_(options.seed, 1),
      disk_dice_(options.seed, 2),
      network_dice_(options.seed, 3),
      production_dice_(options.seed, 4),
      sender_dice_(options.seed, 5),
      plan_(plan_of(Dice(options.seed, 6), options.engine)),
      oracle_(rules_, clock_, options.recording, options.verbose),
      spool_network_(Side::spool, backends_, network_dice_, agenda_, oracle_),
      proxy_network_(Side::proxy, backends_, network_dice_, agenda_, oracle_),
      node_({loop_, clock_, agenda_, disk_dice_, production_dice_, spool_network_, rules_.ruleset->destinations, options.engine,
             options.folder, plan_.map_bytes, [this] {
               if (std::exchange(crash_after_disk_, false)) crash_in_turns_ = static_cast<int>(dice_.between(0, 3));
             }}),
      gate_(loop_, clock_, production_dice_, proxy_network_, *rules_.ruleset, node_.socket()),
      senders_(rules_, sender_dice_, agenda_, gate_, oracle_),
      operators_(dice_, agenda_, node_, oracle_) {
  oracle_.use(node_);
}

World::~World() = default;

void World::run() {
  node_.start();
  senders_.start(dice_.ms(30, 300));
  if (plan_.operators) operators_.start(dice_.ms(500, 5'000));
  if (!plan_.calm) agenda_.after(dice_.ms(200, 3'000), [this] { faults(); });
  for (steps_made_ = 0; steps_made_ < options_.steps && !oracle_.violation(); ++steps_made_) {
    step(Duration(2'000));
    if (steps_made_ % 100 == 99) oracle_.recount();
  }
  if (!oracle_.violation()) drain();
}

void World::step(Duration at_most) {
  const MonotonicTime timer = loop_.next_timer().value_or(clock_.monotonic() + at_most);
  const MonotonicTime planned = agenda_.next().value_or(clock_.monotonic() + at_most);
  MonotonicTime to = std::min(timer, planned);
  if (to < planned && dice_.chance(0.5)) {
    const Duration late = dice_.chance(0.7) ? dice_.ms(0, 100) : dice_.ms(0, at_most.count());
    to = std::min<MonotonicTime>(planned, to + late);
  }
  clock_.advance_to(to);
  for (auto& due : agenda_.take_due()) loop_.post(std::move(due));
  int turns = 0;
  while (turn()) {
    if (++turns > kTurns) return oracle_.fail("P8", "the loop does not become idle");
  }
  if (!node_.failure().empty()) oracle_.fail("P10", "the spool failed: " + node_.failure());
  if (!gate_.up() || !gate_.spool().available()) oracle_.spool_away();
  oracle_.check_books();
}

bool World::turn() {
  if (crash_in_turns_ >= 0 && crash_in_turns_-- == 0 && node_.up()) crash_spool(false);
  const bool ran = loop_.step();
  gate_.tell();
  return ran;
}

void World::faults() {
  if (!faulty_) return;
  fault();
  agenda_.after(dice_.ms(50, 3'000), [this] { faults(); });
}

void World::fault() {
  static const std::vector<std::string> kBackends = {"quick", "slow", "limited", "fifo", "latest", "many"};
  const double roll = dice_.unit();
  if (roll < 0.5) {
    const std::string& name = dice_.pick(kBackends);
    const Mood mood = dice_.chance(0.5) ? Mood::moody : static_cast<Mood>(dice_.between(2, 6));
    backends_.set(name, mood);
    oracle_.happened(fmt::format("backend {} is in mood {}", name, static_cast<int>(mood)));
    agenda_.after(dice_.chance(0.8) ? dice_.ms(100, 8'000) : dice_.ms(10'000, 60'000), [this, name] { backends_.set(name, dice_.chance(0.5) ? Mood::well : Mood::moody); });
  } else if (roll < 0.7 && plan_.crashes) {
    if (node_.up() && dice_.chance(0.6)) crash_after_disk_ = true;
    else crash_spool(dice_.chance(0.3));
  } else if (roll < 0.78 && plan_.clock_jumps) {
    jump_clock();
  } else if (roll < 0.85 && plan_.full_disk) {
    fill_disk();
  } else if (roll < 0.92) {
    node_.disk_stalled = true;
    agenda_.after(dice_.ms(100, 3'000), [this] { node_.disk_stalled = false; });
  } else if (plan_.worker_crashes && gate_.up()) {
    oracle_.happened("the worker crashes");
    oracle_.worker_died();
    gate_.crash();
    agenda_.after(dice_.ms(10, 1'000), [this] { gate_.start(); });
  }
}

void World::crash_spool(bool orderly) {
  if (!node_.up()) return;
  const auto down = [this](const char* how) {
    oracle_.spool_ended(how);
    agenda_.after(dice_.ms(0, kBackWithin.count()), [this] { start_spool(); });
  };
  if (orderly) {
    oracle_.happened("the spool is told to stop");
    return node_.stop([down] { down("has stopped"); });
  }
  node_.crash();
  down("crashes");
}

void World::start_spool() {
  if (node_.up() || oracle_.violation()) return;
  if (plan_.damage && dice_.chance(0.5)) damage_record(node_.store_folder(), dice_, oracle_);
  node_.start();
  if (node_.up()) oracle_.spool_started();
}

void World::jump_clock() {
  const WallTime before = clock_.wall();
  const double roll = dice_.unit();
  if (roll < 0.25) clock_.jump(std::chrono::hours(1));
  else if (roll < 0.5) clock_.jump(-std::chrono::hours(1));
  else if (roll < 0.7) clock_.jump(dice_.ms(-1'500, 1'500));
  else if (roll < 0.85) clock_.set_wall(WallTime(std::chrono::seconds(5)));
  else clock_.jump(std::chrono::years(10));
  oracle_.clock_jumped(clock_.wall() - before);
  // Somebody sets it right again.
  if (roll < 0.7) return;
  agenda_.after(dice_.ms(500, 20'000), [this, off = clock_.wall() - before] {
    clock_.jump(-off);
    oracle_.clock_jumped(-off);
  });
}

void World::fill_disk() {
  oracle_.happened("the disk is full");
  oracle_.disk_was_full();
  node_.disk_full = true;
  agenda_.after(dice_.ms(300, 8'000), [this] {
    oracle_.happened("the disk has room again");
    node_.disk_full = false;
  });
}

std::string World::waiting() {
  std::string out;
  for (const spool::DestinationBacklog& one : node_.up() ? node_.stats().destinations : std::vector<spool::DestinationBacklog>()) {
    if (one.waiting > 0) out += fmt::format("{} for {}, ", one.waiting, one.name);
  }
  return out;
}

// Faults stop; then everything must end in the time that the rules' waits take.
void World::drain() {
  faulty_ = crash_after_disk_ = false;
  crash_in_turns_ = -1;
  senders_.stop();
  operators_.stop();
  backends_.all_well();
  node_.disk_full = node_.disk_stalled = false;
  oracle_.happened("faults stop");
  const bool replays = plan_.operators && dice_.chance(0.5);
  const Duration limit = plan_.clock_jumps ? Duration(std::chrono::hours(40)) : Duration(std::chrono::minutes(20));
  const MonotonicTime end = clock_.monotonic() + limit;
  bool replayed = false;
  for (uint32_t made = 0; !oracle_.violation(); ++made) {
    step(made < 1'000 ? Duration(2'000) : Duration(60'000));
    if (made % 20 != 19) continue;
    backends_.all_well();
    if (node_.up()) operators_.start_all();  // also what a dead letter has disabled since
    if (!node_.up() || !gate_.up() || senders_.unfinished() > 0 || gate_.spool().waiting() > 0 || operators_.busy() || !oracle_.drained()) {
      if (clock_.monotonic() > end) {
        oracle_.recount();
        oracle_.check_end();
        oracle_.fail("P7", fmt::format("not everything has ended long after all faults have: {} senders wait, {} lines of the books; {}",
                                       senders_.unfinished(), gate_.up() ? gate_.spool().waiting() : 0, waiting()), oracle_.someone_waiting());
      }
      continue;
    }
    if (std::exchange(replayed, true) || !replays) return oracle_.check_end();
    operators_.replay_dead();
  }
}

}  // namespace belay::sim
