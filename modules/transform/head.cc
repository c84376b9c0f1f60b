// Rendering; head_settings.cc reads the settings.
#include "modules/transform/head.h"

#include <algorithm>

#include "base/bytes.h"
#include "http/url.h"
#include "http/writer.h"
#include "rules/escape.h"
#include "upstream/client.h"

namespace belay::modules {

using rules::Template;

namespace {

// CGI, WSGI and PHP hand '-' and '_' of a name to their programs as the same letter.
bool same_header(std::string_view a, std::string_view b) {
  const auto folded = [](char c) { return c == '_' ? '-' : ascii_lower(c); };
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) { return folded(x) == folded(y); });
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(), [name](const std::string& other) { return same_header(other, name); });
}

bool is_content_type(std::string_view name) { return name.size() == 12 && ascii_iequals(name, "content-type"); }

}  // namespace

Result<bool> NewHead::render(const Setting& setting, rules::Context& context, std::string& out) const {
  if (missing_ != Missing::error) {
    // One hole that leads nowhere leaves the whole value out, or empty.
    const auto present = setting.value->append_present(context, out);
    return present ? Result<bool>(*present || missing_ == Missing::null) : present;
  }
  if (auto done = setting.value->append(context, out); !done) return done.error();
  return true;
}

const NewHead::Setting* NewHead::find_header(std::string_view name) const {
  const auto found = std::find_if(set_headers_.begin(), set_headers_.end(), [name](const Setting& setting) { return same_header(setting.name, name); });
  return found == set_headers_.end() ? nullptr : &*found;
}

Result<void> NewHead::fields(rules::Context& context, const http::Fields& from, const HeadChange& change, Fields& out) const {
  // What the sender's Connection names goes now: later it would take out what a rule has set.
  const std::vector<std::string_view> options = http::connection_options(from);
  const auto named = [&options](std::string_view name) {
    return std::any_of(options.begin(), options.end(), [name](std::string_view option) { return ascii_iequals(option, name); }) &&
           !ascii_iequals(name, "host") && !ascii_iequals(name, "content-length");
  };
  const bool new_type = !change.no_body && !change.content_type.empty() && !sets_content_type_;
  bool type_written = false;
  out.reserve(from.size() + set_headers_.size() + 1);
  for (const http::Field& field : from) {
    if (http::is_hop_by_hop(field.name) || (!options.empty() && named(field.name))) continue;
    if (!change.vouched && upstream::claims_identity(field.name)) continue;
    if ((change.new_body || change.no_body) && http::describes_body(field.name)) continue;
    if (contains(remove_headers_, field.name) || find_header(field.name) != nullptr) continue;
    if (is_content_type(field.name) && (change.no_body || new_type)) {
      if (new_type && !type_written) out.emplace_back(field.name, change.content_type);
      type_written = true;
      continue;
    }
    out.emplace_back(field.name, field.value);
  }
  if (new_type && !type_written) out.emplace_back("Content-Type", change.content_type);
  for (const Setting& setting : set_headers_) {
    std::string value;
    const auto present = render(setting, context, value);
    if (!present) return present.error();
    if (!*present || (change.no_body && is_content_type(setting.name))) continue;
    if (!http::is_field_value(value)) return invalid("headers.set." + setting.name + ": the value has a line break or another control character");
    out.emplace_back(setting.name, trim_ows(value));
  }
  return {};
}

Result<std::string> NewHead::target(rules::Context& context, const http::RequestHead& request) const {
  if (set_query_.empty() && remove_query_.empty()) return std::string(request.target);
  std::string query;
  const auto add = [&query](std::string_view pair) {
    if (!query.empty()) query.push_back('&');
    query += pair;
  };
  std::vector<bool> written(set_query_.size());
  const auto write = [&](size_t i) -> Result<void> {
    written[i] = true;
    std::string value;
    const auto present = render(set_query_[i], context, value);
    if (!present) return present.error();
    if (!*present) return {};
    add({});
    rules::append_url_text(query, set_query_[i].name);
    query.push_back('=');
    rules::append_url_text(query, value);
    return {};
  };
  std::string_view rest = request.query;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::string_view raw_name = pair.substr(0, pair.find('='));
    const std::string name = http::percent_decode(raw_name, true).value_or(std::string(raw_name));
    if (std::find(remove_query_.begin(), remove_query_.end(), name) != remove_query_.end()) continue;
    const auto set = std::find_if(set_query_.begin(), set_query_.end(), [&name](const Setting& setting) { return setting.name == name; });
    if (set == set_query_.end()) {
      add(pair);
      continue;
    }
    const auto i = static_cast<size_t>(set - set_query_.begin());
    if (written[i]) continue;
    if (auto done = write(i); !done) return done.error();
  }
  for (size_t i = 0; i < set_query_.size(); ++i) {
    if (written[i]) continue;
    if (auto done = write(i); !done) return done.error();
  }
  std::string target(request.path);
  return query.empty() ? std::move(target) : std::move(target.append(1, '?').append(query));
}

Result<std::string> NewHead::path(rules::Context& context) const {
  std::string path;
  if (path_ == nullptr) return path;
  for (const Template::Part& part : path_->parts()) {
    const size_t before = path.size();
    if (auto done = path_->append_part(part, context, path); !done) return done.error();
    // An empty part might make /customers/ of /customers/7: another resource.
    if (path.size() == before) return invalid("path: a part of " + printable(path_->text(), 100) + " is empty");
  }
  if (http::has_dot_segments(path)) return invalid("path: " + printable(path, 100) + " climbs out of its place");
  return path;
}

}  // namespace belay::modules
