// A recipe of docs/cookbook as data: what its cases.yaml says is sent to a gateway with its rules.yaml, and what the sender and
// the backends then get. The form of the file is described in docs/cookbook/README.md. Signatures are worked out here with OpenSSL
// from the way written in the file, so that a mistake of Belay's own signing code is not repeated. read_recipe() throws
// std::runtime_error with the place of whatever it does not understand.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/sender.h"

namespace belay::test {

// {body}, {time}, {signature} and {header:NAME} in a text become what `value` gives for them.
std::string fill(const std::string& text, const std::function<std::string(const std::string&)>& value);

struct Signature {
  std::string key, decode;  // decode: base64 when the key's bytes are what that stands for
  std::string digest = "sha256", encoding = "hex", over = "{body}";
  std::string header, form = "{signature}";
  // The header's value for a request.
  std::string value(const std::function<std::string(const std::string&)>& of_request) const;
};

struct Delivered {
  std::string method = "POST", path;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;  // nullopt: must not be there
  std::optional<std::string> body;                                         // every byte
  bool as_sent = false;                                                    // the body is that of the request
  std::vector<std::pair<std::string, std::string>> fields;                 // path in a JSON body → its bytes there
  size_t attempts = 1;
  std::optional<Signature> signature;
};

struct Case {
  std::string name, method = "POST", path, body;
  Headers headers;
  std::optional<Signature> signature;
  int status = 200;
  std::optional<std::string> answer;
  Headers answer_headers;
  std::string backend;  // the backend's mode from here on, see backend_main.cc
  std::vector<Delivered> delivered;
};

struct Recipe {
  std::string rules;
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<std::pair<std::string, std::string>> files;  // name below the main file's folder → content
  std::vector<Case> cases;
};

Recipe read_recipe(const std::string& folder);

}  // namespace belay::test
