#include "spool/tables.h"

#include "wire/codec.h"

namespace belay::spool {

namespace {

constexpr std::string_view kSchemaKey = "schema";

Result<void> check_schema(lmdb::Environment& environment, lmdb::Table meta, const std::string& folder) {
  lmdb::WriteTransaction transaction(environment);
  const auto stored = transaction.get(meta, kSchemaKey);
  if (transaction.failed()) return transaction.error();
  if (!stored) {
    std::string sealed;
    std::string version;
    put_be32(version, Tables::kSchema);
    append_sealed(sealed, version);
    transaction.put(meta, kSchemaKey, sealed);
    return transaction.commit();
  }
  auto payload = unseal(*stored);
  if (!payload || payload->size() != 4) {
    return Error{ErrorKind::corrupt, "spool path " + folder + ": the schema record is damaged"};
  }
  const uint64_t version = get_be(payload->data(), 4);
  if (version != Tables::kSchema) {
    return Error{ErrorKind::corrupt, "spool path " + folder + ": schema " + std::to_string(version) +
                                         " is " + (version > Tables::kSchema ? "newer" : "older") +
                                         " than this release reads (" + std::to_string(Tables::kSchema) +
                                         "); run the release that wrote it" + (version > Tables::kSchema ? "" : ", let it deliver what waits, and begin with an empty folder")};
  }
  return {};
}

}  // namespace

Result<Tables> Tables::open(lmdb::Environment& environment, const std::string& folder) {
  Tables tables;
  auto meta = environment.table("meta");
  if (!meta) return meta.error();
  tables.meta = *meta;
  if (auto schema = check_schema(environment, tables.meta, folder); !schema) return schema.error();
  const std::pair<const char*, lmdb::Table*> named[] = {
      {"messages", &tables.messages}, {"chunks", &tables.chunks}, {"deliveries", &tables.deliveries},
      {"due", &tables.due},           {"ended", &tables.ended},   {"journal", &tables.journal},
      {"failed", &tables.failed},     {"clients", &tables.clients}, {"claims", &tables.claims},
      {"claim_ends", &tables.claim_ends}, {"counts", &tables.counts}, {"quarantine", &tables.quarantine}};
  for (const auto& [name, table] : named) {
    auto opened = environment.table(name);
    if (!opened) return opened.error();
    *table = *opened;
  }
  return tables;
}

}  // namespace belay::spool
