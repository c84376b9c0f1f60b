// The shapes of the admin API's answers, in one place: what docs, the command line and dashboards rely on. Names and units are
// part of /v1: fields may be added, never renamed or given another meaning. Times are RFC 3339 in UTC, durations say their
// unit in the name. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/json_writer.h"
#include "admin/parameters.h"
#include "base/clock.h"
#include "spool/operations.h"

namespace belay::admin {

std::string render_error(const ApiError& error);

// One of the rows of a page.
std::string render_row(const spool::EventRow& row);

// {"events": […], "next": ID | null}; `next` goes into before= for the next page.
std::string render_events(const spool::EventPage& page);

// The event's fields, "stored", the deliveries with their attempts, and the request when it was stored. The body is text
// ("body") or, when it is not UTF-8, base64 ("body_base64").
std::string render_message(const spool::MessageDetail& detail);
// The same for a webhook that was not stored: only its line in the books.
std::string render_event(const spool::EventRow& row);

// Requests by source and outcome, the store, backlog and state of every destination.
std::string render_stats(const spool::StoreStats& stats, const spool::DestinationReports& reports, const std::vector<wire::Counters>& counters, WallTime now,
                         Duration uptime);

// What became of an act on many, or how far it is.
std::string render_bulk(const spool::BulkResult& result, bool dry_run);
// {"acts": […], "next": ID | null}: the audit log.
std::string render_acts(const spool::ActPage& page);
// {"kept": […], "next": … | null}: the quarantine.
std::string render_kept(const spool::KeptPage& page);
// By the books and by a recount: per destination, per source, of the store.
std::string render_books(const spool::BooksReport& report);

// What pause, resume, disable and enable answer.
std::string render_stop(const spool::StopResult& result);

std::string render_health(const spool::StoreStats& stats, Duration uptime);

// The stored request as raw HTTP/1.1, as a sender would write it: for curl-like tools and `belay explain`. Chunk framing was
// taken off when it was received, so Transfer-Encoding is replaced by the body's Content-Length.
std::string render_raw(const wire::StoredRequest& request);

}  // namespace belay::admin
