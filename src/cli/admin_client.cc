#include "cli/admin_client.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "base/bytes.h"
#include "cli/human.h"
#include "cli/json_view.h"
#include "conf/configuration.h"
#include "event/stream.h"
#include "event/tls.h"
#include "http/writer.h"
#include "upstream/answer_reader.h"

namespace belay::cli {

namespace {

constexpr const char* kOtherWays = "name it with -c FILE, or use --admin URL --token TOKEN";

Result<std::string> find_main_file(const std::string& given) {
  if (!given.empty()) return given;
  std::string looked;
  for (const char* path : kMainFiles) {
    if (access(path, R_OK) == 0) return std::string(path);
    looked += fmt::format("{}{}", looked.empty() ? "" : ", ", path);
  }
  return invalid(fmt::format("no main file found (looked for {}); {}", looked, kOtherWays));
}

// Read here, not by the parser: there a variable could not be told from a flag.
std::string given_token(const AdminFlags& flags) {
  const char* const variable = std::getenv("BELAY_ADMIN_TOKEN");
  return !flags.token.empty() || variable == nullptr ? flags.token : std::string(variable);
}

struct Place {
  http::Url url;
  std::string token;
  std::string where;
};

Result<Place> place_of_flags(const AdminFlags& flags) {
  const std::string text = flags.url.find("://") == std::string::npos && !flags.url.starts_with("unix:")
                               ? "http://" + flags.url  // people write 127.0.0.1:9180
                               : flags.url;
  Result<http::Url> url = http::parse_url(text);
  if (!url) return invalid(fmt::format("--admin {}: {}", printable(flags.url), url.error().message));
  while (url->path.ends_with('/')) url->path.pop_back();  // http://host:9180/ is http://host:9180
  std::string token = given_token(flags);
  if (token.empty()) return invalid("--admin needs --token TOKEN, or BELAY_ADMIN_TOKEN in the environment");
  return Place{std::move(*url), std::move(token), printable(flags.url)};
}

Result<Place> place_of_main_file(const AdminFlags& flags) {
  const Result<std::string> file = find_main_file(flags.config);
  if (!file) return file.error();
  conf::Problems problems;
  const auto configuration = conf::load_main({.main_file = *file, .state_folder = flags.state}, problems);
  if (!configuration) {
    std::string all = problems.to_string();
    while (!all.empty() && all.back() == '\n') all.pop_back();
    return invalid(fmt::format("cannot tell where the spool is\n{}", all));
  }
  Result<http::Url> url = url_of_listen(configuration->admin.listen);
  if (!url) return invalid(fmt::format("admin.listen in {}: {}", *file, url.error().message));
  std::string token = given_token(flags);
  if (token.empty()) token = token_of(configuration->admin.tokens, SystemClock().wall());
  if (token.empty()) {
    return invalid(fmt::format("{} has no admin.token that is valid now; write one, for example token: \"${{file:admin.token}}\"", *file));
  }
  return Place{std::move(*url), std::move(token), fmt::format("{} (admin.listen in {})", configuration->admin.listen, *file)};
}

}  // namespace

void add_admin_flags(CLI::App& command, AdminFlags& flags) {
  command.add_option("-c,--config", flags.config, "Main file; its admin section says where the spool is")->type_name("FILE");
  command.add_option("--state", flags.state, "Folder that holds run/ and var/")->type_name("DIR");
  command.add_option("--admin", flags.url, "Address of the admin API, instead of the main file's")->type_name("URL");
  command.add_option("--token", flags.token, "Token of the admin API; without it the one in $BELAY_ADMIN_TOKEN")->type_name("TOKEN");
}

Result<http::Url> url_of_listen(const std::string& listen) {
  const Result<event::SocketAddress> address = event::parse_address(listen);
  if (!address) return address.error();
  if (!address->unix_path.empty()) return http::parse_url("unix:" + address->unix_path);
  event::SocketAddress to = *address;
  if (to.ip == *IpAddress::parse("0.0.0.0")) to.ip = *IpAddress::parse("127.0.0.1");
  if (to.ip == *IpAddress::parse("::")) to.ip = *IpAddress::parse("::1");
  return http::parse_url("http://" + to.to_string());
}

std::string token_of(const std::vector<conf::AdminToken>& tokens, WallTime now) {
  for (const bool operate : {true, false}) {
    for (const conf::AdminToken& token : tokens) {
      if (token.operate != operate) continue;
      for (const conf::SecretValue& value : token.value) {
        if (value.valid_at(now)) return value.value;
      }
    }
  }
  return {};
}

std::string query_string(const std::vector<std::pair<std::string, std::string>>& parameters) {
  std::string out;
  for (const auto& [name, value] : parameters) {
    if (value.empty()) continue;
    out += fmt::format("{}{}={}", out.empty() ? '?' : '&', http::percent_encode(name), http::percent_encode(value));
  }
  return out;
}

Result<std::unique_ptr<AdminClient>> AdminClient::create(const AdminFlags& flags) {
  Result<Place> place = flags.url.empty() ? place_of_main_file(flags) : place_of_flags(flags);
  if (!place) return place.error();
  if (!http::is_field_value(place->token)) return invalid("the admin token holds characters that no header can carry");
  upstream::Destination base;
  base.name = "admin";
  base.urls.push_back(std::move(place->url));
  base.timeout = kTimeout;
  base.connect_timeout = kConnectTimeout;
  base.concurrency = 1;
  base.authorization = "Bearer " + place->token;
  base.network_allow.push_back({IpAddress{}, 0});  // a person named the address; anything it leads to is meant
  if (base.urls[0].scheme == "https") {
    auto tls = event::ClientTls::create({});
    if (!tls) return tls.error();
    base.tls = std::move(*tls);
  }
  return std::unique_ptr<AdminClient>(new AdminClient(std::move(base), std::move(place->where)));
}

AdminClient::AdminClient(upstream::Destination base, std::string where)
    : base_(std::move(base)), where_(std::move(where)), resolver_(loop_), client_(loop_, resolver_, {.response_body = kMaxAnswer}) {}

AdminClient::~AdminClient() = default;

Result<std::string> AdminClient::get(const std::string& path_and_query) { return ask("GET", path_and_query, {}); }

Result<std::string> AdminClient::post(const std::string& path, const std::string& body) { return ask("POST", path, body); }

namespace {

Result<std::unique_ptr<const json::Document>> parse_answer(Result<std::string> answer) {
  if (!answer) return answer.error();
  auto document = json::Document::parse_owned(std::move(*answer), {.bytes = AdminClient::kMaxAnswer});
  if (!document) {
    return Error{ErrorKind::corrupt,
                 fmt::format("the answer is not JSON ({}); is this address really the admin API?", document.error().message)};
  }
  return document;
}

}  // namespace

Result<std::unique_ptr<const json::Document>> AdminClient::get_json(const std::string& path_and_query) {
  return parse_answer(get(path_and_query));
}

Result<std::unique_ptr<const json::Document>> AdminClient::post_json(const std::string& path, const std::string& body) {
  return parse_answer(post(path, body));
}

Result<std::unique_ptr<const json::Document>> AdminClient::delete_json(const std::string& path) {
  return parse_answer(ask("DELETE", path, {}));
}

Result<std::string> AdminClient::ask(std::string_view method, const std::string& path_and_query, const std::string& body) {
  const auto to = std::make_shared<upstream::Destination>(base_);
  const size_t mark = path_and_query.find('?');
  to->urls[0].path += path_and_query.substr(0, mark);
  to->urls[0].query = mark == std::string::npos ? "" : path_and_query.substr(mark + 1);
  http::Fields fields;
  fields.add("Accept", "application/json");
  if (!body.empty()) fields.add("Content-Type", "application/json");
  const upstream::Outbound request{
      .method = method, .target = "/", .fields = &fields, .body = body, .has_body = !body.empty()};

  std::optional<Result<std::string>> result;
  const auto call = client_.send(to, request, [&](const upstream::Attempt& attempt) {
    if (attempt.outcome != upstream::Outcome::answered) {
      result = unreachable(attempt);
    } else if (attempt.status() / 100 == 2) {
      result = std::string(attempt.body);
    } else {
      result = refused(attempt.status(), attempt.body);
    }
  });
  if (!loop_.run_until([&] { return result.has_value(); }, kConnectTimeout + kTimeout)) {
    return Error{ErrorKind::timeout, fmt::format("no answer from the admin API at {}", where_)};
  }
  return std::move(*result);
}

Error AdminClient::unreachable(const upstream::Attempt& attempt) const {
  if (attempt.outcome == upstream::Outcome::bad_response && attempt.error == upstream::AnswerReader::kTooLarge) {
    return {ErrorKind::full, fmt::format("the answer of the admin API at {} is too large: more than {} are not read", where_, format_bytes(kMaxAnswer))};
  }
  return {ErrorKind::unavailable,
          fmt::format("cannot reach the admin API at {}: {}; is 'belay run' or 'belay spool' running there?", where_,
                      attempt.error.empty() ? upstream::to_string(attempt.outcome) : attempt.error)};
}

Error AdminClient::refused(int status, std::string_view body) const {
  std::string said;
  if (const auto document = json::Document::parse(body)) {
    const JsonView answer(**document);
    said = visible(answer["error"].text(), 300);
    const std::string hint = visible(answer["hint"].text(), 300);
    if (!hint.empty()) said += "; " + hint;
  }
  if (said.empty()) said = fmt::format("it answered {}; is this address really the admin API?", status);
  if (status == 401 || status == 403) {
    return {ErrorKind::refused, fmt::format("the admin API at {} refused the token: {}", where_, said)};
  }
  // 404 and 500 are about what was asked for, not about the spool.
  const bool this_one = status == 404 || status == 500;
  return {status == 400 ? ErrorKind::invalid : this_one ? ErrorKind::corrupt : ErrorKind::unavailable, said};
}

int report(std::string_view command, const Error& error) {
  fmt::print(stderr, "belay {}: {}\n", command, error.message);
  return error.kind == ErrorKind::invalid ? 2 : 1;
}

}  // namespace belay::cli
