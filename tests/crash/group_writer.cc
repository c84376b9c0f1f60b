// What the crash test of groups kills: stores webhooks of order, debounce and batch, leases what is due and settles some, and says
// each step on stdout in one write(2): "stored KEY ID" after the commit, "sending KEY ID BODY" before the attempt, "ended ID"
// after its commit. Runs until it is killed. KEY: its kind and number; a body is the id as JSON, so that a batch names its members.
#include <unistd.h>

#include <cstdio>
#include <future>

#include "base/random.h"
#include "spool/store.h"
#include "tests/crash/groups.h"

namespace {

using namespace belay;
using namespace belay::spool;

void say(const std::string& line) {
  const std::string whole = line + "\n";
  if (write(STDOUT_FILENO, whole.data(), whole.size()) < 0) _exit(3);
}

void put_some(Store& store, IdGenerator& ids, const Clock& clock, Random& random) {
  Batch batch;
  std::vector<std::string> said;
  for (uint64_t i = 1 + random.next() % 4; i > 0; --i) {
    const crash::Key key = crash::kKeys[random.next() % std::size(crash::kKeys)];
    batch.puts.push_back(crash::message(ids.next(), key, clock));
    said.push_back("stored " + crash::name_of(key) + " " + batch.puts.back().message->event.id.to_string());
  }
  if (!crash::commit(store, std::move(batch))) _exit(5);
  for (const std::string& line : said) say(line);
}

void send_some(Store& store, const Clock& clock, Random& random) {
  auto leases = crash::lease(store, clock.wall());
  if (!leases) _exit(6);
  for (Leased& one : leases->leased) {
    say("sending " + crash::name_of(one.delivery.grouping) + " " + one.delivery.message.to_string() + " " + one.message->request.body);
    if (random.next() % 8 == 0) continue;  // as if the answer never came
    const bool good = random.next() % 3 != 0;
    add_attempt(one.delivery, {clock.wall(), 1, static_cast<uint16_t>(good ? 200 : 503), "", ""});
    one.delivery.state = good ? DeliveryState::delivered : DeliveryState::scheduled;
    one.delivery.due = clock.wall() + Duration(1);
    Batch end;
    end.settlements.push_back({one.delivery});
    if (!crash::commit(store, std::move(end))) _exit(7);
    if (good) say("ended " + one.delivery.message.to_string());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  SystemClock clock;
  SystemRandom random;
  IdGenerator ids(clock, random);
  auto store = open_lmdb_store(crash::options_of(argv[1]), clock);
  if (!store) {
    std::fprintf(stderr, "%s\n", store.error().message.c_str());
    return 4;
  }
  while (true) {
    put_some(**store, ids, clock, random);
    send_some(**store, clock, random);
  }
}
