#include "upstream/sign_head.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "http/writer.h"
#include "signature/scheme.h"

namespace belay::upstream {

namespace {

using Signed = signature::Scheme::Signed;

// A head that we have written ourselves, as views into it.
http::RequestHead read_back(std::string_view text) {
  http::RequestHead head;
  const size_t end = text.find("\r\n");
  BELAY_CHECK(end != std::string_view::npos);
  const std::string_view line = text.substr(0, end);
  const size_t first = line.find(' '), last = line.rfind(' ');
  head.method = line.substr(0, first);
  head.target = line.substr(first + 1, last - first - 1);
  const size_t mark = head.target.find('?');
  head.path = head.target.substr(0, mark);
  if (mark != std::string_view::npos) head.query = head.target.substr(mark + 1);
  for (text.remove_prefix(end + 2); !text.empty();) {
    const size_t stop = text.find("\r\n");
    const std::string_view field = text.substr(0, stop);
    const size_t colon = field.find(':');
    head.fields.add(field.substr(0, colon), trim_ows(field.substr(colon + 1)));
    text.remove_prefix(stop + 2);
  }
  if (const std::string_view* host = head.fields.find("host")) head.host = *host;
  return head;
}

Result<Signed> sign(std::string_view text, const signature::Scheme& scheme, const http::Url& url, const Outbound& request) {
  const http::RequestHead head = read_back(text);
  payload::RequestView view;
  view.head = &head;
  view.body = request.body;
  view.client = request.client;
  view.tls = url.scheme == "https";
  view.received = request.now;
  payload::RequestContext context(view);
  return scheme.sign(context, request.now);
}

std::string_view name_of(const std::string& parameter) { return std::string_view(parameter).substr(0, parameter.find('=')); }

// The query without the parameter `name`.
std::string without(std::string_view query, std::string_view name) {
  std::string kept;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.substr(0, pair.find('=')) != name) kept.append(kept.empty() ? "" : "&").append(pair);
  }
  return kept;
}

// Takes the sender's own signature out; false when there was none.
bool take_out(std::string& out, size_t start, const Signed& made) {
  const std::string before = out.substr(start);
  const http::RequestHead head = read_back(before);
  const std::string query = made.query.empty() ? std::string(head.query) : without(head.query, name_of(made.query));
  out.resize(start);
  out.append(head.method).append(" ").append(head.path);
  if (query.size() == head.query.size() ? head.path.size() < head.target.size() : !query.empty()) out.append("?").append(query);
  out.append(" HTTP/1.1\r\n");
  for (const http::Field& field : head.fields) {
    const auto same = [&](const auto& added) { return ascii_iequals(added.first, field.name); };
    if (std::none_of(made.fields.begin(), made.fields.end(), same)) http::append_field(out, field.name, field.value);
  }
  return out.size() - start != before.size();
}

// Behind the target of the request line that begins at `start`.
void add_parameter(std::string& out, size_t start, const std::string& parameter) {
  const size_t end = out.rfind(' ', out.find("\r\n", start));
  const size_t mark = out.find('?', start);
  const bool has_query = mark != std::string::npos && mark < end;
  out.insert(end, (!has_query ? "?" : mark + 1 == end ? "" : "&") + parameter);
}

}  // namespace

Result<void> sign_head(std::string& out, size_t start, const signature::Scheme& scheme, const http::Url& url, const Outbound& request) {
  const auto text = [&] { return std::string_view(out).substr(start); };
  // The time is that of this attempt, not the one that the sender signed.
  Signed dated;
  const http::RequestHead head = read_back(text());
  for (const http::Field& field : head.fields) {
    if (scheme.dates_with(field.name)) dated.fields.emplace_back(field.name, std::string());
  }
  if (!dated.fields.empty()) take_out(out, start, dated);
  auto made = sign(text(), scheme, url, request);
  // A sender that signs in the same way: its proof must not be part of what ours covers.
  if (made && take_out(out, start, *made)) made = sign(text(), scheme, url, request);
  if (!made) return Error{ErrorKind::unavailable, "sign: " + made.error().message};
  for (const auto& [name, value] : made->fields) {
    if (!http::is_field_value(value)) return Error{ErrorKind::unavailable, "sign: " + name + " cannot stand in a header"};
    http::append_field(out, name, value);
  }
  if (!made->query.empty()) add_parameter(out, start, made->query);
  return {};
}

}  // namespace belay::upstream
