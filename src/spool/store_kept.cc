// StoreReader::kept: what is set aside, through its index. One snapshot for a page; a page looks at kMaxLooks entries at most and
// then says where to go on, so that a filter that takes few never holds a snapshot for long.
#include "spool/journal.h"
#include "spool/kept_filter.h"
#include "spool/store_reader.h"

namespace belay::spool {

namespace {

constexpr uint32_t kMaxLooks = 5'000;
// Cursors: the table, then the key reached, in hex.
constexpr char kKeptCursor = 'k', kDamagedCursor = 'q';

std::string cursor_of(char table, std::string_view key) { return std::string(1, table) + hex_encode(key); }

std::optional<Kept> read_kept(lmdb::Transaction& transaction, const Tables& tables, std::string_view key) {
  const auto stored = transaction.get(tables.messages, key.substr(0, 16));
  auto message = stored ? read_message(*stored) : Result<StoredMessage>(Error{ErrorKind::corrupt, {}});
  if (!message) return std::nullopt;
  Kept row;
  row.event = std::move(message->message.event);
  row.key = row.event.id.to_string();
  row.bytes = message->chunked.front() > 0 ? message->chunked.front() : message->message.request.body.size();
  if (key.size() == 16) return row;
  row.kind = KeptKind::unmade;
  const auto delivery = transaction.get(tables.deliveries, key);
  auto read = delivery ? read_delivery(*delivery) : Result<Delivery>(Error{ErrorKind::corrupt, {}});
  if (!read || !read->unmade || read->state != DeliveryState::dead) return std::nullopt;
  row.delivery = std::move(*read);
  return row;
}

std::string_view table_of(char letter) {
  switch (letter) {
    case 'm': return "messages";
    case 'd': return "deliveries";
    case 'j': return "books";
    case 's': return "stops";
    default: return "unknown";
  }
}

Result<void> check_block(std::string_view value) {
  const auto block = read_block(value);
  const auto lines = block ? block->lines() : Result<std::string_view>(block.error());
  return lines ? Result<void>() : lines.error();
}

Result<void> check_record(char letter, std::string_view value) {
  if (letter == 'm') {
    const auto message = read_message(value);
    return message ? Result<void>() : message.error();
  }
  const auto payload = unseal(value);
  if (letter != 'd' || !payload) return payload ? Result<void>() : payload.error();
  const auto delivery = read_delivery(value);
  return delivery ? Result<void>() : delivery.error();
}

Kept damaged_row(std::string_view key, std::string_view value) {
  Kept row;
  row.kind = KeptKind::damaged;
  row.key = kept_key_text(key);
  row.bytes = value.size();
  row.begins = value.substr(0, Kept::kBegins);
  row.table = table_of(key.front());
  const auto read = key.front() == 'j' ? check_block(value) : check_record(key.front(), value);
  row.why = read ? "it could be read when this was asked: what it belongs to did not fit" : read.error().message;
  if (key.size() > 16 && key.front() != 's') row.event.id = MessageId::from_bytes(key.substr(1, 16)).value_or(MessageId{});
  return row;
}

}  // namespace

Result<KeptPage> StoreReader::kept(const KeptQuery& query, const std::string& before, uint32_t max) const {
  KeptPage page;
  const KeptFilter filter(query);
  const auto from = before.empty() ? std::nullopt : hex_decode(std::string_view(before).substr(1));
  const char table = before.empty() ? kKeptCursor : before.front();
  if ((!before.empty() && !from) || (table != kKeptCursor && table != kDamagedCursor)) return invalid("'before' is not the 'next' of a page");
  lmdb::ReadTransaction transaction(environment_);
  uint32_t looks = 0;
  const auto full = [&] { return page.rows.size() >= max || looks >= kMaxLooks; };
  if (table == kKeptCursor && (filter.wants(KeptKind::refused) || filter.wants(KeptKind::unmade))) {
    lmdb::Cursor cursor(transaction, tables_.kept);
    for (bool more = from ? cursor.seek_before(*from) : cursor.last(); more; more = cursor.previous()) {
      auto row = read_kept(transaction, tables_, cursor.key());
      if (row && filter.takes(*row)) page.rows.push_back(std::move(*row));
      ++looks;
      if (!full()) continue;
      page.next = cursor_of(kKeptCursor, cursor.key());
      return page;
    }
  }
  if (filter.wants(KeptKind::damaged)) {
    lmdb::Cursor cursor(transaction, tables_.quarantine);
    bool more = table == kDamagedCursor ? cursor.seek(*from) : cursor.first();
    if (more && table == kDamagedCursor && cursor.key() == *from) more = cursor.next();
    for (; more; more = cursor.next()) {
      Kept row = damaged_row(cursor.key(), cursor.value());
      if (filter.takes(row)) page.rows.push_back(std::move(row));
      ++looks;
      if (!full()) continue;
      page.next = cursor_of(kDamagedCursor, cursor.key());
      return page;
    }
  }
  if (transaction.failed()) return transaction.error();
  return page;
}

}  // namespace belay::spool
