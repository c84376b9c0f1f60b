// Secrets: references into the environment or files, and lists of them for rotation. No value ever appears in a
// problem.
#include <algorithm>
#include <sys/stat.h>

#include <cstdlib>

#include "base/bytes.h"
#include "conf/documented.h"
#include "conf/section.h"
#include "conf/stand_in.h"

namespace belay::conf {

namespace {

constexpr size_t kMaxSecret = size_t{64} << 10;

constexpr Setting kRotated[] = {
    {.key = "value", .type = Type::text, .required = true, .help = "the secret", .example = "\"${env:ACME_SECRET}\""},
    {.key = "valid_from", .type = Type::text, .help = "accepted from this moment on", .example = "2026-01-31T00:00:00Z"},
    {.key = "valid_until", .type = Type::text, .help = "accepted up to this moment", .example = "2026-03-01T00:00:00Z"},
};
const Documented kSourcesSecretsDocumented("sources.NAME.secrets.NAME[]", kRotated);

bool stand_in = false;  // MissingSecretsStandIn lives

std::optional<std::string> environment(const SecretSource& source, const std::string& name) {
  if (source.env) return source.env(name);
  const char* value = std::getenv(name.c_str());
  return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

std::optional<std::string> from_environment(const Node& node, const SecretSource& source, const std::string& name,
                                            Problems& problems) {
  const auto value = environment(source, name);
  if (stand_in && (!value || value->empty())) return std::string(kStandInSecret);
  if (!value) {
    problems.add(node.position(), "environment variable " + printable(name, 60) + " is not set",
                 "set it before Belay starts, or write ${file:PATH}");
  } else if (value->empty()) {
    problems.add(node.position(), "environment variable " + printable(name, 60) + " is empty", "set it to the secret");
    return std::nullopt;
  }
  return value;
}

bool may_be_read_by_all(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & S_IROTH) != 0;
}

std::optional<std::string> from_file(const Node& node, const SecretSource& source, const std::string& name,
                                     Problems& problems) {
  const std::string path = name.starts_with('/') || source.folder.empty() ? name : source.folder + '/' + name;
  auto value = read_file(path, kMaxSecret);
  if (stand_in && !value) return std::string(kStandInSecret);
  if (!value) {
    problems.add(node.position(), "secret cannot be read: " + value.error().message,
                 "check the path and who may read it");
    return std::nullopt;
  }
  warn_if_public(path, node.position(), problems);
  if (value->ends_with('\n')) value->pop_back();  // editors and echo end a file with a newline
  if (value->ends_with('\r')) value->pop_back();
  if (value->empty()) {
    problems.add(node.position(), "secret file " + path + " is empty", "put the secret in it");
    return std::nullopt;
  }
  return *value;
}

std::optional<std::string> refer(const Node& node, const SecretSource& source, std::string_view reference,
                                 Problems& problems) {
  const size_t colon = reference.find(':');
  const std::string_view kind = reference.substr(0, colon);
  const std::string name(colon == std::string_view::npos ? "" : reference.substr(colon + 1));
  if (!name.empty() && kind == "env") return from_environment(node, source, name, problems);
  if (!name.empty() && kind == "file") return from_file(node, source, name, problems);
  problems.add(node.position(), "'${" + printable(reference, 60) + "}' names no secret",
               "write ${env:NAME} or ${file:PATH}");
  return std::nullopt;
}

// "$ACME_TOKEN", as shells write it.
bool looks_like_variable(std::string_view text) {
  const auto name_byte = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
  return text.size() > 1 && text.size() < 64 && text[0] == '$' && std::all_of(text.begin() + 1, text.end(), name_byte);
}

// The text with its references replaced. A text without any is a literal.
std::optional<SecretValue> resolve(const Node& node, const SecretSource& source, Problems& problems) {
  const std::string& text = node.text();
  SecretValue out;
  bool failed = false;
  size_t at = 0, references = 0;
  while (true) {
    const size_t open = text.find("${", at);
    out.value.append(text, at, open == std::string::npos ? std::string::npos : open - at);
    if (open == std::string::npos) break;
    const size_t close = text.find('}', open);
    if (close == std::string::npos) {
      problems.add(node.position(), "'${' without '}' in a secret", "write ${env:NAME} or ${file:PATH}");
      return std::nullopt;
    }
    const auto value = refer(node, source, std::string_view(text).substr(open + 2, close - open - 2), problems);
    if (value) out.value += *value;
    failed |= !value;
    ++references;
    at = close + 1;
  }
  if (failed) return std::nullopt;
  out.literal = references == 0;
  if (out.literal && looks_like_variable(text)) {
    problems.add(node.position(), "this looks like the name of an environment variable, but reads as the secret itself",
                 "write \"${env:" + text.substr(1) + "}\"");
    return std::nullopt;
  }
  if (out.value.empty()) {
    problems.add(node.position(), "the secret is empty", "write ${env:NAME} or ${file:PATH}");
    return std::nullopt;
  }
  if (out.literal && source.refuse_literals) {
    problems.add(node.position(), "a secret is written in the file itself", "write ${env:NAME} or ${file:PATH}");
  } else if (out.literal && may_be_read_by_all(node.position().file)) {
    // Once a file: the position is the whole of it.
    problems.warn({node.position().file}, "a secret is written in this file, and everybody on this machine may read it",
                  "chmod o-r it, or write ${env:NAME} or ${file:PATH}");
  }
  return out;
}

std::optional<WallTime> moment(const Section& section, std::string_view key) {
  if (!section.has(key)) return std::nullopt;
  const auto time = parse_time(section.text(key));
  if (time) return *time;
  section.wrong(key, time.error().message);
  return std::nullopt;
}

void read_one(const Node& node, const SecretSource& source, Problems& problems, Secret& out) {
  if (node.is_scalar()) {
    if (auto value = resolve(node, source, problems)) out.push_back(std::move(*value));
    return;
  }
  if (!node.is_map()) {
    problems.add(node.position(), "a secret must be text", "write ${env:NAME} or ${file:PATH}");
    return;
  }
  const Section section(node, kRotated, problems);
  const auto from = moment(section, "valid_from");
  const auto until = moment(section, "valid_until");
  if (from && until && *from >= *until) section.wrong("valid_until", "valid_until is not after valid_from");
  if (!section.node("value").is_scalar()) return;
  auto value = resolve(section.node("value"), source, problems);
  if (!value) return;
  value->valid_from = from;
  value->valid_until = until;
  out.push_back(std::move(*value));
}

}  // namespace

void warn_if_public(const std::string& path, Position position, Problems& problems) {
  if (may_be_read_by_all(path)) problems.warn(std::move(position), "everybody on this machine may read " + path, "chmod 600 it");
}

MissingSecretsStandIn::MissingSecretsStandIn() { stand_in = true; }
MissingSecretsStandIn::~MissingSecretsStandIn() { stand_in = false; }

Secret read_secret(const Node& node, const SecretSource& source, Problems& problems) {
  Secret out;
  if (!node.is_list()) {
    read_one(node, source, problems, out);
    return out;
  }
  if (node.items().empty()) problems.add(node.position(), "the list of secrets is empty", "write one at least");
  for (const Node& item : node.items()) read_one(item, source, problems, out);
  return out;
}

}  // namespace belay::conf
