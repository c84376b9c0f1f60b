#include "cli/openapi_security.h"

#include "admin/json_writer.h"
#include "base/bytes.h"

namespace belay::cli {

using admin::JsonWriter;

namespace {

class Reader {
 public:
  explicit Reader(SecuritySchemes& schemes) : schemes_(schemes) {}

  SecurityNeeds read(const conf::Node& auth) {
    if (auth.entries().empty()) return {};
    const conf::Entry& entry = auth.entries().front();
    const conf::Node& value = entry.value;
    if (entry.key == "any") return any(value);
    if (entry.key == "all") return all(value);
    if (entry.key == "bearer") return one("bearer", {{"type", "http"}, {"scheme", "bearer"}});
    if (entry.key == "jwt") return one("jwt", {{"type", "http"}, {"scheme", "bearer"}, {"bearerFormat", "JWT"}});
    if (entry.key == "basic") return one("basic", {{"type", "http"}, {"scheme", "basic"}});
    if (entry.key == "tls") return one("client-certificate", {{"type", "mutualTLS"}});
    if (entry.key == "header" || entry.key == "query") return keys(entry.key, value);
    return {};
  }

  // A signature in a header or query; one in the payload is no part of a request's security in OpenAPI's sense.
  SecurityNeeds signature(const conf::Node& verify) {
    if (verify.at("any").present()) return signatures(verify.at("any"), false);
    if (verify.at("all").present()) return signatures(verify.at("all"), true);
    const std::string& algorithm = verify.at("algorithm").text();
    if (algorithm == "rfc9421") return one("signature-rfc9421", {{"type", "apiKey"}, {"in", "header"}, {"name", "Signature"}, {"description", "RFC 9421, with Signature-Input"}});
    for (const std::string_view in : {"header", "query"}) {
      const std::string& name = verify.at("signature").at(in).text();
      if (name.empty()) continue;
      const std::string what = algorithm == "equal" ? "a shared token" : algorithm == "jwt" ? "a signed token (JWT)" : algorithm + " signature";
      const std::string over = verify.at("over").text();
      const std::string description = what + (over.empty() || algorithm == "equal" || algorithm == "jwt" ? "" : " over " + over);
      return one("signature-" + component_name(name + "-" + algorithm), {{"type", "apiKey"}, {"in", in}, {"name", name}, {"description", description}});
    }
    return {};
  }

  // Every alternative of one together with every one of the other; nothing asked leaves the other as it is.
  static SecurityNeeds both(const SecurityNeeds& a, const SecurityNeeds& b) {
    if (a.empty()) return b;
    if (b.empty()) return a;
    SecurityNeeds out;
    for (const auto& left : a) {
      for (const auto& right : b) {
        if (out.size() == kMaxAlternatives) return out;
        out.push_back(left);
        out.back().insert(out.back().end(), right.begin(), right.end());
      }
    }
    return out;
  }

 private:
  SecurityNeeds signatures(const conf::Node& list, bool together) {
    SecurityNeeds out;
    for (const conf::Node& item : list.items()) {
      SecurityNeeds needs = signature(item);
      if (together) {
        out = both(out, needs);
      } else {
        for (auto& need : needs) {
          if (out.size() < kMaxAlternatives) out.push_back(std::move(need));
        }
      }
    }
    return out;
  }

  SecurityNeeds any(const conf::Node& list) {
    SecurityNeeds out;
    for (const conf::Node& item : list.items()) {
      for (auto& need : read(item)) {
        if (out.size() < kMaxAlternatives) out.push_back(std::move(need));
      }
    }
    return out;
  }

  SecurityNeeds all(const conf::Node& list) {
    SecurityNeeds out;
    for (const conf::Node& item : list.items()) out = both(out, read(item));
    return out;
  }

  SecurityNeeds keys(std::string_view in, const conf::Node& names) {
    SecurityNeeds out;
    for (const conf::Entry& entry : names.entries()) {
      out = both(out, one(std::string(in) + "-" + component_name(entry.key), {{"type", "apiKey"}, {"in", in}, {"name", entry.key}}));
    }
    return out;
  }

  SecurityNeeds one(const std::string& name, const std::vector<std::pair<std::string_view, std::string_view>>& members) {
    JsonWriter json;
    json.begin_object();
    for (const auto& [key, value] : members) json.field(key, value);
    json.end_object();
    schemes_.emplace(name, json.take());
    return {{name}};
  }

  SecuritySchemes& schemes_;
};

}  // namespace

std::string component_name(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    out.push_back(good ? c : '_');
  }
  return out;
}

SecurityNeeds security_of(const pipeline::Source& source, SecuritySchemes& schemes) {
  Reader reader(schemes);
  return Reader::both(reader.read(source.settings_of("auth")), reader.signature(source.settings_of("verify")));
}

}  // namespace belay::cli
