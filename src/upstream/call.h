// A request under way: what is to be sent and how far it has come on the way to a connection. Owned by whoever called
// send(); the client knows it until `done` has run.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "upstream/client.h"
#include "upstream/pool.h"

namespace belay::upstream {

class CallState final : public Client::Call {
 public:
  // Where a question to the resolver finds its call, if that still waits for the answer.
  struct Lookup {
    CallState* call = nullptr;
  };

  CallState(Client::Impl& client_in, Pool& pool_in, const Outbound& request_in, Client::Done done_in, MonotonicTime now)
      : client(&client_in), pool(&pool_in), request(request_in), done(std::move(done_in)), started(now) {}
  ~CallState() override;

  Client::Impl* client;          // null once done or cancelled
  Pool* pool;
  Outbound request;
  Client::Done done;
  MonotonicTime started;
  Connection* connection = nullptr;

  // The way to a fresh connection: urls of the destination in turn, and the addresses of each.
  size_t url = 0;
  size_t urls_left = 0;          // to be tried, this one included; 0: none was chosen yet
  std::vector<IpAddress> addresses;
  size_t next_address = 0;
  MonotonicTime connect_started{};
  Duration connect_took{};
  std::shared_ptr<Lookup> lookup;
  event::DeadlineList::Entry lookup_deadline;
  bool repeated = false;         // a kept connection failed it once

  // auth.oauth2: what is sent, how often it was waited for, and whether the backend has refused one.
  std::string authorization;
  int token_waits = 0;
  bool token_renewed = false;

  // What the last try said; when `failed`, it is final and told on a later turn.
  Outcome outcome = Outcome::answered;
  std::string error, peer;
  bool failed = false;
  bool unfit = false;  // Attempt::unfit
  bool local = false;  // Attempt::local

  CallState* next = nullptr;     // in the client's list
  CallState* previous = nullptr;
};

}  // namespace belay::upstream
