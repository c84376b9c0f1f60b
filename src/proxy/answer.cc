#include "proxy/answer.h"

#include "base/bytes.h"
#include "http/writer.h"

namespace belay::proxy {

namespace {

bool has_date(std::string_view head) {
  while (!head.empty()) {
    if (head.size() > 5 && (head[0] == 'D' || head[0] == 'd') && head[4] == ':' && ascii_iequals(head.substr(0, 4), "date")) return true;
    const size_t end = head.find('\n');
    if (end == std::string_view::npos) return false;
    head.remove_prefix(end + 1);
  }
  return false;
}

}  // namespace

bool append_answer_head(std::string& out, const pipeline::Reply& reply, const AnswerFacts& facts) {
  http::append_status_line(out, reply.status);
  out += reply.head;
  if (!has_date(reply.head)) http::append_field(out, "Date", facts.date);
  // 204 and 304 have no body (RFC 9110 §15.3.5, §15.4.5), and the length of what HEAD or 304 stand for is not known here.
  const bool may_have_body = reply.status != 204 && reply.status != 304;
  const bool head_request = facts.method == "HEAD";
  if (may_have_body && !(head_request && reply.body.empty())) http::append_content_length(out, reply.body.size());
  if (facts.close) {
    out += "Connection: close\r\n";
  } else if (facts.minor_version == 0) {
    out += "Connection: keep-alive\r\n";
  }
  http::end_head(out);
  return may_have_body && !head_request && !reply.body.empty();
}

}  // namespace belay::proxy
