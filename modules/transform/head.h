// The head of a transformed request: headers, query, path and method of `transform`; everything they do not name stays as the
// sender wrote it, in its order. Nothing of a payload can leave its place: a header value holds no line break or control byte,
// what stands in a path or query is percent-coded, and a path cannot climb. Compiled when rules load, const and shared
// afterwards. Failure: an error that names the key.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conf/section.h"
#include "http/message.h"
#include "modules/transform/shape.h"
#include "rules/template.h"

namespace belay::modules {

// What the fields must follow.
struct HeadChange {
  bool new_body = false;
  bool no_body = false;           // GET and HEAD carry none
  bool vouched = false;           // a trusted proxy sent the fields that name the sender
  std::string_view content_type;  // of a new body; empty: what it was
};

class NewHead {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  static std::unique_ptr<NewHead> read(const conf::Section& section, Missing missing);

  const std::string& method() const { return method_; }  // empty: the sender's
  bool drops_body() const { return method_ == "GET" || method_ == "HEAD"; }

  // The fields in their order, without what belongs to one hop or to a body that is no more, or claims what nobody vouched for.
  Result<void> fields(rules::Context& context, const http::Fields& from, const HeadChange& change, Fields& out) const;
  // Path and query as received, with the query's changes.
  Result<std::string> target(rules::Context& context, const http::RequestHead& request) const;
  // The absolute path at the destination; empty: as its url says.
  Result<std::string> path(rules::Context& context) const;

 private:
  struct Setting {
    std::string name;  // as written
    std::unique_ptr<rules::Template> value;
  };

  explicit NewHead(Missing missing) : missing_(missing) {}
  void read_headers(const conf::Node& node, conf::Problems& problems);
  void read_query(const conf::Node& node, conf::Problems& problems);
  void read_path(const conf::Node& node, conf::Problems& problems);
  void read_method(const conf::Section& section);
  void read_values(const conf::Section& section, std::vector<Setting>& into);
  // The value of a header or query setting; false: it is left out.
  Result<bool> render(const Setting& setting, rules::Context& context, std::string& out) const;
  const Setting* find_header(std::string_view name) const;

  Missing missing_;
  std::string method_;
  std::unique_ptr<rules::Template> path_;
  std::vector<Setting> set_headers_, set_query_;
  std::vector<std::string> remove_headers_, remove_query_;
  bool sets_content_type_ = false;
};

}  // namespace belay::modules
