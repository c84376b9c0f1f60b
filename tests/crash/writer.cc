// What the crash tests kill: stores messages and settles some in the store given, and says on stdout what was acknowledged,
// one line each, in one write(2) after the commit: "stored ID" or "delivered ID". Runs until it is killed.
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <mutex>

#include "base/random.h"
#include "spool/store.h"
#include "tests/crash/body.h"

namespace {

using namespace belay;
using namespace belay::spool;

constexpr int kUnderWay = 32;

void say(const char* what, const MessageId& id) {
  const std::string line = std::string(what) + " " + id.to_string() + "\n";
  if (write(STDOUT_FILENO, line.data(), line.size()) < 0) _exit(3);
}

NewMessage message(IdGenerator& ids, const Clock& clock) {
  Message made;
  made.event.id = ids.next();
  made.event.received = clock.wall();
  made.event.outcome = wire::Outcome::spooled;
  made.event.source = "acme";
  made.event.destination = "crm";
  made.request.method = "POST";
  made.request.target = "/";
  made.request.fields = {{"A", "b"}};
  made.request.body = crash::body_of(made.event.id);
  made.request.has_body = true;
  Delivery delivery;
  delivery.message = made.event.id;
  delivery.destination = destination_id("crm");
  delivery.destination_name = "crm";
  delivery.due = clock.wall();
  delivery.state = DeliveryState::sending;
  return {std::make_shared<const Message>(std::move(made)), {delivery}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  SystemClock clock;
  SystemRandom random;
  IdGenerator ids(clock, random);
  StoreOptions options;
  options.folder = argv[1];
  options.map_bytes = uint64_t{256} << 20;
  auto opened = open_lmdb_store(options, clock);
  if (!opened) {
    std::fprintf(stderr, "%s\n", opened.error().message.c_str());
    return 4;
  }
  Store& store = **opened;
  std::mutex mutex;
  std::condition_variable free_slot;
  int under_way = 0;
  for (uint64_t round = 0;; ++round) {
    {
      std::unique_lock lock(mutex);
      free_slot.wait(lock, [&] { return under_way < kUnderWay; });
      ++under_way;
    }
    Batch batch;
    batch.puts.push_back(message(ids, clock));
    Delivery delivery = batch.puts[0].deliveries[0];
    const auto finished = [&] {
      const std::lock_guard lock(mutex);
      --under_way;
      free_slot.notify_one();
    };
    store.commit(std::move(batch), [&store, delivery, finished, settle = round % 3 == 0](const Result<Committed>& done) mutable {
      if (!done) _exit(5);
      say("stored", delivery.message);
      if (!settle) return finished();
      delivery.state = DeliveryState::delivered;
      Batch end;
      end.settlements.push_back({delivery});
      store.commit(std::move(end), [id = delivery.message, finished](const Result<Committed>& settled) {
        if (!settled || settled->refused.at(0)) _exit(6);
        say("delivered", id);
        finished();
      });
    });
  }
}
