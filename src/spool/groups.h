// Groups: the rules of deliveries that wait for others of their key, one place for every engine. Called inside one commit, by
// its only writer, so each step is atomic with the puts and settlements that cause it.
//   order     The first that came has the key's turn; the others are members and have no due entry. When it has ended the next
//             one gets the turn. on_stuck wait: a dead one keeps it until it is replayed, cancelled or forgotten; one that
//             expired does not, for nobody wants it any more.
//   debounce  A newer one ends all before it as superseded, except one that is being sent: that keeps the turn, the newer one
//             waits behind it, and takes its place as soon as its attempt has failed or is lost.
//   batch     The first one opens a batch and carries its due entry; the others are members. The batch is closed when it is full,
//             when its time has passed and another comes (its destination took nothing meanwhile), and in a commit of its own before it is sent for the first time, so that what was sent never grows. It is settled
//             as a whole; one that an operator cancels leaves it.
// Keys are of one destination. Places are given in the order of arrival (Delivery::turn), not by ids: those are of the workers'
// clocks. Limits: what is done per delivery does not depend on how many wait, but for a batch, whose members are at most
// Grouping::max. Damaged records: a member that cannot be read is dead, and frees its place; a damaged head of a group loses
// its turn, never its delivery.
#pragma once

#include <optional>
#include <vector>

#include "spool/record.h"

namespace belay::spool {

// Who has the turn of a key, or leads its open batch (then count and bytes say how full it is, and due when it goes).
struct GroupHead {
  MessageId first;
  uint32_t count = 0;
  uint64_t bytes = 0;
  WallTime due{};
};

struct GroupMember {
  uint64_t turn = 0;
  MessageId message;
};

// What the rules need of an engine. Members are kept by key, those of a batch by the id of its first one.
class GroupStore {
 public:
  virtual std::optional<GroupHead> group_head(DestinationId to, const wire::GroupKey& key) = 0;
  virtual void put_group_head(DestinationId to, const wire::GroupKey& key, const GroupHead& head) = 0;
  virtual void remove_group_head(DestinationId to, const wire::GroupKey& key) = 0;
  virtual std::vector<GroupMember> members(DestinationId to, const wire::GroupKey& group, size_t max) = 0;  // by turn
  virtual void add_member(DestinationId to, const wire::GroupKey& group, const GroupMember& member) = 0;
  virtual void remove_member(DestinationId to, const wire::GroupKey& group, const GroupMember& member) = 0;
  // As stored. One that cannot be read becomes dead, named like its `sibling`.
  virtual std::optional<Delivery> find(const MessageId& id, const Delivery& sibling) = 0;
  // The record with all its indexes and the books: `now` in place of `before`.
  virtual void save(const Delivery& now, const Delivery& before) = 0;
  virtual void put_due(const Delivery& delivery) = 0;
  virtual void remove_due(const Delivery& delivery) = 0;
  // Keeps everybody from sending it until the commit has ended; false: it is being sent.
  virtual bool hold(const Delivery& delivery) = 0;

 protected:
  ~GroupStore() = default;
};

class Groups {
 public:
  static constexpr size_t kMaxBatch = 10'000;  // Grouping::max

  Groups(GroupStore& store, WallTime now) : store_(store), now_(now) {}

  // A new delivery with its turn, or one that is queued again, before its record is written. `bytes`: its body's. False: it is
  // not to be queued, a newer one of its key waits.
  [[nodiscard]] bool join(Delivery& delivery, size_t bytes, bool again);
  // One that comes from another store (import.h), with its turn and before its record is written: the order of those that wait for
  // their key is that of their turns. `batch_comes`: the first one of its batch will be imported, too.
  void restore(Delivery& delivery, bool batch_comes);
  // Whether it stands in the index of due deliveries while it waits.
  bool has_turn(const Delivery& delivery);
  // What an attempt, an expiry or an operator made of a stored one. False: that cannot be now.
  [[nodiscard]] bool settle(Delivery& now, const Delivery& before);
  // It is gone, or nothing is left of it to be sent: whatever its rule says of dead ones, the next has its turn.
  void gone(const Delivery& delivery);
  // Of a waiting one whose index entry did not fit: has it a place?
  void mend(const Delivery& delivery);
  // What must be done before this due one is sent, if anything: it has expired, its batch is still open, a newer one of its key
  // waits (an engine may look by itself whether that is so, and ask only then). Both give the number of deliveries that ended.
  size_t take_care(const Delivery& delivery);
  size_t expire(const Delivery& delivery);  // with all of its batch; 0: it is being sent

  static wire::GroupKey batch_key(const MessageId& first) { return first.bytes; }
  static constexpr std::string_view kExpired = "expired";

 private:
  void join_order(Delivery& delivery, bool again);
  bool join_debounce(Delivery& delivery, bool again);
  void restore_in_batch(Delivery& delivery, bool batch_comes);
  void join_batch(Delivery& delivery, size_t bytes, bool again);
  void supersede(const Delivery& older, const MessageId& newer);
  MessageId close_batch(const Delivery& sibling, const GroupHead& head);  // who leads it; empty: nobody is left
  size_t settle_batch(const Delivery& now, const Delivery& before);  // how many
  void left(const Delivery& delivery);
  MessageId leave_batch(const Delivery& delivery);  // who leads it then
  void pass_on(const Delivery& from);
  bool keeps_turn(const Delivery& delivery) const;
  std::optional<GroupMember> first_member(DestinationId to, const wire::GroupKey& key);
  bool is_head(const Delivery& delivery);

  GroupStore& store_;
  WallTime now_;
};

}  // namespace belay::spool
