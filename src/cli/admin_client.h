// How the commands reach a running spool: they find address and token (flags, or the main file), ask the admin API and turn
// whatever goes wrong into one line that says what to check. Blocking; one thread; one request at a time.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cli/event_tail.h"
#include "conf/configuration.h"
#include "event/loop.h"
#include "event/resolver.h"
#include "event/stream.h"
#include "http/url.h"
#include "json/document.h"
#include "upstream/client.h"
#include "wire/frame.h"

namespace belay::cli {

struct AdminFlags {
  std::string config;  // -c; empty: the first of kMainFiles that exists
  std::string state;   // --state
  std::string url;     // --admin
  std::string token;   // --token, or the environment's BELAY_ADMIN_TOKEN
};

inline constexpr const char* kMainFiles[] = {"belay.yaml", "conf/belay.yaml", "/etc/belay/belay.yaml"};

// -c, --state, --admin and --token.
void add_admin_flags(CLI::App& command, AdminFlags& flags);

// The address a client uses for one that a server listens on: "0.0.0.0:9180" → http://127.0.0.1:9180. Errors say what is wrong.
Result<http::Url> url_of_listen(const std::string& listen);
// The first value that is valid now, of a token that may operate if there is one; empty when there is none.
std::string token_of(const std::vector<conf::AdminToken>& tokens, WallTime now);
// "?a=b&c=d" from the parameters that have a value, percent-encoded; empty when there are none.
std::string query_string(const std::vector<std::pair<std::string, std::string>>& parameters);

class AdminClient {
 public:
  static constexpr Duration kConnectTimeout{3'000};
  static constexpr Duration kTimeout{30'000};
  // One message: its request and what transforms made of it came in one frame, of which each byte may be escaped in six; and its attempts.
  static constexpr size_t kMaxAnswer = 6 * wire::kMaxPayload + (size_t{16} << 20);

  // An error of kind invalid is the caller's (wrong flags, no main file); nothing is connected yet.
  static Result<std::unique_ptr<AdminClient>> create(const AdminFlags& flags);
  ~AdminClient();

  // The body of a 2xx. Everything else is an error: no connection, timeout, or what the API said, with its hint; full: an answer
  // beyond kMaxAnswer.
  Result<std::string> get(const std::string& path_and_query);
  Result<std::string> post(const std::string& path, const std::string& body);
  // As get() and post(), the body parsed.
  Result<std::unique_ptr<const json::Document>> get_json(const std::string& path_and_query);
  Result<std::unique_ptr<const json::Document>> post_json(const std::string& path, const std::string& body);
  Result<std::unique_ptr<const json::Document>> delete_json(const std::string& path);
  // Reads a stream of server-sent events, from `events.last_id()` on, until it ends; the error says why. unavailable: it is worth
  // trying again.
  Error tail(const std::string& path_and_query, EventTail& events, const EventTail::Take& take);

 private:
  AdminClient(upstream::Destination base, std::string where);
  Result<std::string> ask(std::string_view method, const std::string& path_and_query, const std::string& body);
  Result<event::SocketAddress> address();
  Error unreachable(const upstream::Attempt& attempt) const;
  Error refused(int status, std::string_view body) const;

  const upstream::Destination base_;  // each request is a copy of it with its own path and query
  const std::string where_;            // "http://127.0.0.1:9180 (admin.listen in conf/belay.yaml)"
  event::Loop loop_;
  event::Resolver resolver_;
  upstream::Client client_;
};

// Prints "belay NAME: message" and gives the exit code: 2 for invalid (the user's), 1 for everything else.
int report(std::string_view command, const Error& error);

}  // namespace belay::cli
