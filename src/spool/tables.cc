#include "spool/tables.h"

#include "wire/codec.h"

namespace belay::spool {

namespace {

constexpr std::string_view kSchemaKey = "schema";

Result<void> write_schema(lmdb::Environment& environment, lmdb::Table meta, bool older) {
  lmdb::WriteTransaction transaction(environment);
  std::string sealed;
  std::string version;
  put_be32(version, Tables::kSchema);
  append_sealed(sealed, version);
  transaction.put(meta, kSchemaKey, sealed);
  if (older) transaction.put(meta, Tables::kUpgradeKey, sealed);
  return transaction.commit();
}

// What is stored, in a snapshot that ends here.
std::optional<std::string> stored_schema(lmdb::Environment& environment, lmdb::Table meta) {
  lmdb::ReadTransaction transaction(environment);
  const auto stored = transaction.get(meta, kSchemaKey);
  return stored ? std::optional(std::string(*stored)) : std::nullopt;
}

Result<void> check_schema(lmdb::Environment& environment, lmdb::Table meta, const std::string& folder) {
  const auto stored = stored_schema(environment, meta);
  if (!stored) return environment.read_only() ? invalid("spool path " + folder + " holds no spool") : write_schema(environment, meta, false);
  auto payload = unseal(*stored);
  if (!payload || payload->size() != 4) {
    return Error{ErrorKind::corrupt, "spool path " + folder + ": the schema record is damaged"};
  }
  const uint64_t version = get_be(payload->data(), 4);
  // Tables that a newer schema adds are made when they are opened. Written first: an older release must not find them.
  if (version >= Tables::kOldestSchema && version < Tables::kSchema) {
    if (!environment.read_only()) return write_schema(environment, meta, true);
    return invalid("spool path " + folder + ": schema " + std::to_string(version) + " is older than this release's (" +
                   std::to_string(Tables::kSchema) + "); start the spool on it once, which brings it up to date");
  }
  if (version != Tables::kSchema) {
    return Error{ErrorKind::corrupt, "spool path " + folder + ": schema " + std::to_string(version) +
                                         " is " + (version > Tables::kSchema ? "newer" : "older") +
                                         " than this release reads (" + std::to_string(Tables::kSchema) +
                                         "); run the release that wrote it" + (version > Tables::kSchema ? "" : ", let it deliver what waits, and begin with an empty folder")};
  }
  return {};
}

}  // namespace

std::string kept_key_text(std::string_view key) { return std::string(1, key.front()).append("-").append(hex_encode(key.substr(1))); }

std::optional<std::string> read_kept_key(std::string_view text) {
  if (text.size() < 3 || text[1] != '-') return std::nullopt;
  auto key = hex_decode(text.substr(2));
  if (!key) return std::nullopt;
  return std::string(1, text.front()).append(*key);
}

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
      {"claim_ends", &tables.claim_ends}, {"counts", &tables.counts}, {"stops", &tables.stops}, {"sources", &tables.sources}, {"acts", &tables.acts}, {"kept", &tables.kept}, {"quarantine", &tables.quarantine}};
  for (const auto& [name, table] : named) {
    auto opened = environment.table(name);
    if (!opened) return opened.error();
    *table = *opened;
  }
  return tables;
}

}  // namespace belay::spool
