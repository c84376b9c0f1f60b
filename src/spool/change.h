// One write transaction of the LMDB store in the making: batches are applied to it, then it is committed as a whole or
// dropped. Lives on the writer thread. After failed() nothing of it counts; leases it has given are taken back.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "spool/books.h"
#include "spool/claims.h"
#include "spool/groups.h"
#include "spool/journal.h"
#include "spool/leases.h"
#include "spool/environment.h"
#include "spool/store.h"
#include "spool/tables.h"

namespace belay::spool {

struct TransferMessage;
struct TransferClient;

class Change final : private GroupStore {
 public:
  Change(lmdb::Environment& environment, const Tables& tables, const Books& books, LeaseTable& leases, WallTime now);
  ~Change();
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;

  // Takes the batch apart: deliveries given as `sending` are stored as queued.
  Committed apply(Batch& batch);

  enum class Stored : uint8_t { now, line_only, before, failed };  // line_only: the quarantine is full

  // What an import brings (import.h): in the states and with the places that it had elsewhere. False, `before` or `failed`: it is there, and
  // stays as it is. `batches`: batches that come with the import, by destination and first member.
  Stored restore(TransferMessage& from, const std::set<std::pair<MessageId, DestinationId>>& batches);
  bool restore(const wire::Event& line);
  bool restore(const StoredClaim& claim);
  bool restore(const Stop& from);
  bool restore(const Act& act);
  bool restore(const TransferClient& client);
  void restore(const ForgottenDeliveries& forgotten);
  void restore(const ForgottenLines& forgotten);
  void doubt_time(bool on);  // Store::doubt_time
  void end_import();  // the store may be used

  // Copies the value aside and takes it out of its table.
  void quarantine(lmdb::Table table, char letter, std::string_view key);
  // Counts the next piece of a recount, and begins one when none is under way; the report when all is counted.
  std::optional<BooksReport> recount(uint32_t max);
  // A stored message that cannot be read: set aside, what waits of it becomes dead with `reason`.
  void bury_message(const MessageId& id, const std::string& reason);
  // A delivery that cannot be read but stands in the due index: set aside and queued anew, without its history; dead, for
  // --reapply, when its record alone knew what to send.
  void renew_delivery(const DueEntry& entry, const std::string& name);
  // An entry of the due index that did not fit its delivery when it was looked at: the index follows the delivery, and so do
  // the counters. A delivery that is lost although its message is stored is queued anew when its destination, named `name`,
  // `waits` for some; of anything else the entry goes.
  void mend_due(const DueEntry& entry, const std::string& name, bool waits);
  // A member of a batch that could not be read when the batch was to be sent, or is no member any more: it leaves it.
  void mend_member(const DueEntry& first, const MessageId& member);
  // What stands in the way of sending what is due: see Groups::take_care().
  size_t take_care(const DueEntry& entry);  // how many ended
  uint32_t expire(uint32_t max);  // of what waits and is not being sent; how many ended: the last batch as a whole
  // From `from` on, in order of ids; `from` is moved on, and emptied at the end. Returns how many messages went.
  uint32_t prune_messages(std::string& from, WallTime older_than, bool any_delivered, uint32_t max);
  // Up to `max` blocks, oldest first. `lines`: how many lines went. Returns how many blocks.
  uint32_t prune_journal(WallTime older_than, uint32_t max, uint64_t& lines);
  uint32_t prune_failed(WallTime older_than, uint32_t max);  // how many went
  uint32_t prune_claims(uint32_t max);                       // that have ended; how many went
  void prune_clients();                                      // that are too many
  uint32_t prune_acts(WallTime older_than, uint32_t max);    // how many went
  // Damaged records that would have gone by now had they been whole, and the oldest beyond StoreOptions::kMaxDamaged; how many.
  uint32_t prune_damaged(WallTime messages, WallTime history, uint32_t max);

  // From now on the ids of what changes are appended there; see StoreOptions::on_changed.
  void tell(std::vector<MessageId>* into) { told_ = into; }

  bool failed() const { return transaction_.failed(); }
  bool changed() const { return changed_; }  // false: commit() has nothing to make durable
  Error error() const { return transaction_.error(); }
  // Durable when ok; leases of what was settled are dropped.
  Result<void> commit();
  // Brings the books up to date, after commit().
  void apply_to(Books& books) const { books_.apply_to(books); }

 private:
  // A table whose greatest key is known, so that ascending keys are appended to full pages.
  struct Ordered {
    lmdb::Table table{};
    std::string last{};
    bool known = false;
  };
  bool is_new(Ordered& table, std::string_view key);
  void put_ordered(Ordered& table, std::string_view key, std::string_view value);

  Stored store(NewMessage& put, Duration lease);
  Stored put_message(const Message& message, bool kept, bool restored);
  void restore_line(const wire::EventView& event);
  void store_chunks(const MessageId& id, uint16_t shape, std::string_view body);
  void store_delivery(Delivery& delivery, size_t bytes, Duration lease);
  void write_delivery(const Delivery& delivery);
  bool settle(const Delivery& delivery);
  bool settle_shaped(const Delivery& delivery, std::string_view stored, const DeliveryHead& head);
  bool settled(const Delivery& now, uint32_t attempts_before, bool applied);  // `applied` again
  bool knows_a_damaged_one(const Delivery& delivery) const;
  Stopped stop(const StopOrder& order);
  bool sends_one_thing(const MessageId& id, const wire::Grouping& grouping);
  WallTime expiry_of(const MessageId& id, DestinationId destination);
  Delivery end_damaged(const Delivery& lost, const std::string& reason, bool can_be_sent);  // dead, in place of a record that is gone
  void write_state(const Delivery& delivery, DeliveryState from, WallTime old_due);

  std::optional<GroupHead> group_head(DestinationId to, const wire::GroupKey& key) override;
  void put_group_head(DestinationId to, const wire::GroupKey& key, const GroupHead& head) override;
  void remove_group_head(DestinationId to, const wire::GroupKey& key) override;
  std::vector<GroupMember> members(DestinationId to, const wire::GroupKey& group, size_t max) override;
  void add_member(DestinationId to, const wire::GroupKey& group, const GroupMember& member) override;
  void remove_member(DestinationId to, const wire::GroupKey& group, const GroupMember& member) override;
  std::optional<Delivery> find(const MessageId& id, const Delivery& sibling) override;
  void save(const Delivery& now, const Delivery& before) override;
  void put_due(const Delivery& delivery) override;
  void remove_due(const Delivery& delivery) override;
  bool hold(const Delivery& delivery) override;

  void add_lines(const wire::EventLines& lines);
  void add_line(const wire::EventView& event);
  void write_block();
  bool may_go(const MessageId& id, WallTime older_than, bool any_delivered);
  void remove_message(const MessageId& id);
  bool forget_lines(std::string_view key);
  void lose_lines(std::string_view block);
  void remove_rest(const MessageId& id);
  void put_act(const Act& act);
  bool drop(std::string_view kept);
  bool forget_damaged(const std::string& key);
  void forget_kept(const MessageId& id);
  void free_room_of_refusal(std::string_view id);
  void forget_turn(const std::string& key);
  std::vector<std::string> keys_with_prefix(lmdb::Table table, std::string_view prefix);

  // The same one several times in a row is told once.
  void changed(const MessageId& id) {
    if (told_ != nullptr && (told_->empty() || told_->back() != id)) told_->push_back(id);
  }

  std::vector<MessageId>* told_ = nullptr;
  const Tables& tables_;
  LeaseTable& leases_;
  WallTime now_;
  const uint64_t most_refused_;  // bytes kept of refusals
  lmdb::WriteTransaction transaction_;
  BooksChange books_;
  Ordered messages_, deliveries_, journal_, failed_;
  BlockBuilder block_;
  std::vector<std::pair<MessageId, DestinationId>> leased_, settled_;
  std::set<std::pair<MessageId, DestinationId>> held_;  // by hold()
  Groups groups_;
  std::string scratch_;
  bool changed_ = false, committed_ = false;
};

}  // namespace belay::spool
