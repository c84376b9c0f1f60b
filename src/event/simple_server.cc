#include "event/simple_server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "event/stream.h"

namespace belay::event {

namespace {

constexpr size_t kMaxHeaders = size_t{64} << 10;
constexpr int kIdleSeconds = 60;

// A request that waits for its answer; when its connection goes away `request` is null.
struct Pending {
  evhttp_request* request = nullptr;
  const bool* ending = nullptr;  // the server's
};

const char* method_name(evhttp_cmd_type type) {
  switch (type) {
    case EVHTTP_REQ_GET: return "GET";
    case EVHTTP_REQ_POST: return "POST";
    case EVHTTP_REQ_HEAD: return "HEAD";
    case EVHTTP_REQ_PUT: return "PUT";
    case EVHTTP_REQ_DELETE: return "DELETE";
    case EVHTTP_REQ_OPTIONS: return "OPTIONS";
    case EVHTTP_REQ_TRACE: return "TRACE";
    case EVHTTP_REQ_CONNECT: return "CONNECT";
    case EVHTTP_REQ_PATCH: return "PATCH";
  }
  return "GET";
}

SimpleRequest read_request(evhttp_request* from) {
  SimpleRequest request;
  request.method = method_name(evhttp_request_get_command(from));
  const evhttp_uri* uri = evhttp_request_get_evhttp_uri(from);
  const char* path = uri != nullptr ? evhttp_uri_get_path(uri) : nullptr;
  const char* query = uri != nullptr ? evhttp_uri_get_query(uri) : nullptr;
  request.path = path != nullptr && *path != '\0' ? path : "/";
  if (query != nullptr) request.query = query;
  char* peer = nullptr;
  uint16_t port = 0;
  evhttp_connection_get_peer(evhttp_request_get_connection(from), &peer, &port);
  if (peer != nullptr) request.peer = peer;
  for (const evkeyval* field = evhttp_request_get_input_headers(from)->tqh_first; field != nullptr; field = field->next.tqe_next) {
    request.headers.emplace_back(field->key, field->value);
  }
  evbuffer* body = evhttp_request_get_input_buffer(from);
  request.body.resize(evbuffer_get_length(body));
  evbuffer_copyout(body, request.body.data(), request.body.size());
  return request;
}

constexpr size_t kMaxUnread = size_t{64} << 10;  // of what a peer sends while it is answered

class OpenAnswer final : public SimpleStream {
 public:
  explicit OpenAnswer(Pending pending) : pending_(pending) {
    bufferevent* buffers = connection();
    // It has nothing to say any more; that it goes away is seen all the same.
    const timeval limit{kWriteSeconds, 0};
    bufferevent_set_timeouts(buffers, nullptr, &limit);
    bufferevent_setwatermark(buffers, EV_READ, 0, kMaxUnread);
  }
  ~OpenAnswer() override {
    evhttp_request* request = std::exchange(pending_.request, nullptr);
    if (request == nullptr) return;
    evhttp_connection* connection = evhttp_request_get_connection(request);
    evhttp_connection_set_closecb(connection, nullptr, nullptr);
    const timeval idle{kIdleSeconds, 0};
    bufferevent_set_timeouts(evhttp_connection_get_bufferevent(connection), &idle, &idle);
    evhttp_send_reply_end(request);
  }
  void write(std::string_view piece) override {
    if (pending_.request == nullptr) return;
    evbuffer* bytes = evbuffer_new();
    BELAY_CHECK(bytes != nullptr);
    evbuffer_add(bytes, piece.data(), piece.size());
    evhttp_send_reply_chunk(pending_.request, bytes);
    evbuffer_free(bytes);
  }
  size_t unsent() const override { return gone() ? 0 : evbuffer_get_length(bufferevent_get_output(connection())); }
  Pending* pending() { return &pending_; }  // for the connection's callback
  bool gone() const override { return pending_.request == nullptr; }

 private:
  bufferevent* connection() const { return evhttp_connection_get_bufferevent(evhttp_request_get_connection(pending_.request)); }
  Pending pending_;
};

}  // namespace

const std::string* SimpleRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (ascii_iequals(key, name)) return &value;
  }
  return nullptr;
}

struct SimpleServer::Impl {
  Loop& loop;
  Handler handler;
  evhttp* http = nullptr;
  std::string unix_path;
  uint16_t port = 0;
  bool ending = false;

  ~Impl() {
    ending = true;
    if (http != nullptr) evhttp_free(http);
    if (!unix_path.empty()) ::unlink(unix_path.c_str());
  }

  // evhttp lets go of a request that is not answered before it drops the connection, but frees it itself when the server ends.
  static void connection_closed(evhttp_connection*, void* pointer) {
    auto* pending = static_cast<Pending*>(pointer);
    evhttp_request* request = std::exchange(pending->request, nullptr);
    if (request != nullptr && !*pending->ending) evhttp_request_free(request);
  }

  // From here on the stream is what knows the request.
  static void open(const std::shared_ptr<Pending>& pending, const SimpleResponse& response) {
    evkeyvalq* fields = evhttp_request_get_output_headers(pending->request);
    for (const auto& [name, value] : response.headers) evhttp_add_header(fields, name.c_str(), value.c_str());
    evhttp_request* request = std::exchange(pending->request, nullptr);
    auto stream = std::make_unique<OpenAnswer>(Pending{request, pending->ending});
    evhttp_connection_set_closecb(evhttp_request_get_connection(request), &Impl::connection_closed, stream->pending());
    evhttp_send_reply_start(request, response.status, nullptr);
    response.opened(std::move(stream));
  }

  static void answer(const std::shared_ptr<Pending>& pending, const SimpleResponse& response) {
    if (pending->request == nullptr) return;  // the client went away
    if (response.opened) return open(pending, response);
    evhttp_request* request = std::exchange(pending->request, nullptr);
    evhttp_connection_set_closecb(evhttp_request_get_connection(request), nullptr, nullptr);
    evkeyvalq* fields = evhttp_request_get_output_headers(request);
    for (const auto& [name, value] : response.headers) evhttp_add_header(fields, name.c_str(), value.c_str());
    evbuffer* body = evhttp_request_get_output_buffer(request);
    evbuffer_add(body, response.body.data(), response.body.size());
    evhttp_send_reply(request, response.status, nullptr, nullptr);
  }

  struct Waiting {
    std::shared_ptr<Pending> pending;
    explicit Waiting(std::shared_ptr<Pending> pending_in) : pending(std::move(pending_in)) {}
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    ~Waiting() { answer(pending, {.status = 500, .headers = {}, .body = {}}); }  // a handler that forgot to answer
  };

  static void arrived(evhttp_request* request, void* self_pointer) {
    auto* self = static_cast<Impl*>(self_pointer);
    self->loop.entered();
    const auto pending = std::make_shared<Pending>(Pending{request, &self->ending});
    // The connection's callback needs the Pending as long as the answer may come: `respond` keeps it alive, and the last
    // copy of it to go takes the callback away.
    const auto waiting = std::make_shared<Waiting>(pending);
    evhttp_connection_set_closecb(evhttp_request_get_connection(request), &Impl::connection_closed, pending.get());
    self->handler(read_request(request), [waiting](const SimpleResponse& response) { answer(waiting->pending, response); });
  }
};

SimpleServer::SimpleServer(Loop& loop, Handler handler) : impl_(new Impl{.loop = loop, .handler = std::move(handler)}) {
  impl_->http = evhttp_new(loop.base());
  BELAY_CHECK(impl_->http != nullptr);
  evhttp_set_max_body_size(impl_->http, static_cast<ev_ssize_t>(kMaxBody));
  evhttp_set_max_headers_size(impl_->http, static_cast<ev_ssize_t>(kMaxHeaders));
  evhttp_set_timeout(impl_->http, kIdleSeconds);
  evhttp_set_allowed_methods(impl_->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
                                              EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
  evhttp_set_default_content_type(impl_->http, nullptr);
  evhttp_set_gencb(impl_->http, &Impl::arrived, impl_.get());
}

SimpleServer::~SimpleServer() = default;

Result<void> SimpleServer::listen(const std::string& address, uint32_t socket_mode) {
  const auto fd = open_listener(address, socket_mode);
  if (!fd) return fd.error();
  // What is accepted inherits it. evhttp writes 16 KB at a time: the last piece would wait 40 ms for the client's acknowledgement.
  const int on = 1;
  ::setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails on unix sockets, which need no such thing
  if (evhttp_accept_socket_with_handle(impl_->http, *fd) == nullptr) {
    ::close(*fd);
    return io_error(address + ": evhttp cannot accept on it");
  }
  const SocketAddress local = local_address(*fd);
  impl_->port = local.port;
  if (!local.unix_path.empty()) impl_->unix_path = local.unix_path;
  return {};
}

uint16_t SimpleServer::port() const { return impl_->port; }

}  // namespace belay::event
