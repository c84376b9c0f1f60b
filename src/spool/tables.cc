#include "spool/tables.h"

#include "wire/codec.h"

namespace belay::spool {

namespace {

constexpr std::string_view kSchemaKey = "schema";

Result<void> check_schema(lmdb::Environment& environment, lmdb::Table meta, const std::string& folder) {
  lmdb::WriteTransaction transaction(environment);
  const auto write = [&]() -> Result<void> {
    std::string sealed;
    std::string version;
    put_be32(version, Tables::kSchema);
    append_sealed(sealed, version);
    transaction.put(meta, kSchemaKey, sealed);
    return transaction.commit();
  };
  const auto stored = transaction.get(meta, kSchemaKey);
  if (transaction.failed()) return transaction.error();
  if (!stored) return write();
  auto payload = unseal(*stored);
  if (!payload || payload->size() != 4) {
    return Error{ErrorKind::corrupt, "spool path " + folder + ": the schema record is damaged"};
  }
  const uint64_t version = get_be(payload->data(), 4);
  // Tables that a newer schema adds are made when they are opened. Written first: an older release must not find them.
  if (version >= Tables::kOldestSchema && version < Tables::kSchema) return write();
  if (version != Tables::kSchema) {
    return Error{ErrorKind::corrupt, "spool path " + folder + ": schema " + std::to_string(version) +
                                         " is " + (version > Tables::kSchema ? "newer" : "older") +
                                         " than this release reads (" + std::to_string(Tables::kSchema) +
                                         "); run the release that wrote it" + (version > Tables::kSchema ? "" : ", let it deliver what waits, and begin with an empty folder")};
  }
  return {};
}

}  // namespace

void append_sealed(std::string& out, const GroupHead& head) {
  std::string payload(head.first.view());
  put_be32(payload, head.count);
  put_be64(payload, head.bytes);
  put_be64(payload, static_cast<uint64_t>(to_ms(head.due)));
  append_sealed(out, payload);
}

std::optional<GroupHead> read_group_head(std::string_view stored) {
  auto payload = unseal(stored);
  if (!payload) return std::nullopt;
  wire::Reader in(*payload);
  GroupHead head;
  head.first = in.id();
  head.count = in.u32();
  head.bytes = in.u64();
  head.due = wall_from_ms(in.i64());
  return in.finished() ? std::optional(head) : std::nullopt;
}

std::vector<GroupMember> read_members(lmdb::Transaction& transaction, const Tables& tables, DestinationId to,
                                      const wire::GroupKey& group, size_t max) {
  std::vector<GroupMember> found;
  const std::string prefix = group_key(to, group);
  lmdb::Cursor cursor(transaction, tables.members);
  for (bool more = cursor.seek(prefix); more && found.size() < max && cursor.key().starts_with(prefix); more = cursor.next()) {
    found.push_back(read_member(cursor.key()));
  }
  return found;
}

Result<Tables> Tables::open(lmdb::Environment& environment, const std::string& folder) {
  Tables tables;
  auto meta = environment.table("meta");
  if (!meta) return meta.error();
  tables.meta = *meta;
  if (auto schema = check_schema(environment, tables.meta, folder); !schema) return schema.error();
  const std::pair<const char*, lmdb::Table*> named[] = {
      {"messages", &tables.messages}, {"chunks", &tables.chunks}, {"deliveries", &tables.deliveries},
      {"due", &tables.due},           {"ended", &tables.ended},   {"groups", &tables.groups},
      {"members", &tables.members},   {"expiries", &tables.expiries}, {"journal", &tables.journal},
      {"failed", &tables.failed},     {"clients", &tables.clients}, {"claims", &tables.claims},
      {"claim_ends", &tables.claim_ends}, {"counts", &tables.counts}, {"stops", &tables.stops}, {"quarantine", &tables.quarantine}};
  for (const auto& [name, table] : named) {
    auto opened = environment.table(name);
    if (!opened) return opened.error();
    *table = *opened;
  }
  return tables;
}

}  // namespace belay::spool
