// What replay, cancel and the verbs of quarantine have in common: webhooks chosen by ids or by filters, counted and asked about
// first, done step by step by the spool while a bar shows how far it is, stopped with Ctrl-C. One thread.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "cli/admin_client.h"
#include "cli/filters.h"

namespace belay::cli {

// The words of one verb.
struct BulkVerb {
  const char* command;   // "replay", as `belay COMMAND` is written
  const char* path;      // "/v1/replays"
  const char* question;  // "Queue {} again?"
  const char* done;      // "{} queued again."
  const char* would;     // "{} would be queued again."
  const char* nothing;   // "Nothing was queued again."
  const char* example;   // "--status dead"
  bool of_quarantine = false;  // names of damaged records count as ids, too
};

struct BulkOptions {
  AdminFlags admin;
  Filters filters;
  std::string kind;           // of the quarantine
  std::string stop;           // a replay that runs
  std::vector<std::string> ids;
  bool all = false, dry_run = false, yes = false, json = false, reapply = false, as_sent = false;
};

void add_bulk_flags(CLI::App& command, BulkOptions& options);
// The exit code: 0 when something was (or would be) done and nothing asked for by id was left out, 2 when nothing named could be.
int run_bulk(const BulkVerb& verb, const BulkOptions& options);

}  // namespace belay::cli
