// The arithmetic of a check: whether a signature that was found proves a text. One class an algorithm; SingleCheck finds the
// signatures and the time. Const after building; used by one thread at a time (MACs keep scratch state). Comparison is in
// constant time, every key and every signature given is tried. Failure: a reason.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "conf/section.h"
#include "rules/template.h"
#include "signature/finding.h"
#include "signature/signature_place.h"
#include "signature/work.h"

namespace belay::signature {

class Prover {
 public:
  virtual ~Prover() = default;
  virtual Finding prove(Work& work, const GivenSignatures& given) const = 0;
  // A signature as the sender would write it, before what its place puts around it.
  virtual Result<std::string> make(Work& work) const = 0;
  // Whether make() needs no keys that somebody else publishes.
  virtual bool can_make() const { return true; }
  // Whether a secret or a public key has a part in it.
  virtual bool proves() const { return true; }
  // Whether prove() notes a text that differs from webhook to webhook (Work::note_proven).
  virtual bool tells_replays() const { return true; }
  // Whether what is proved is the whole body, and whether a token of its own says how old it is.
  virtual bool covers_body() const { return false; }
  virtual bool judges_time() const { return false; }
  virtual bool reads_url() const { return false; }
};

enum class Encoding : uint8_t { hex, base64, base64url, text };

std::string encode(Encoding encoding, std::string_view bytes);
std::optional<std::string> decode(Encoding encoding, std::string_view text);
// Exactly `size` bytes, without memory of its own for hex.
bool decode_into(Encoding encoding, std::string_view text, size_t size, char* out);

using Overs = std::vector<std::unique_ptr<rules::Template>>;
bool all_read(const Overs& overs, rules::Variable variable);
bool all_hold_raw(const Overs& overs);

// What a prover is built from. `position` names the check where a key is wrong.
struct ProverSettings {
  std::string algorithm;
  Encoding encoding = Encoding::hex;
  const Overs* overs = nullptr;  // not owned: the check's
  const Keyring* keyring = nullptr;
  conf::Node key, keys, jwt;
  const rules::Names* names = nullptr;
  conf::Position position;
};

// Null with problems recorded; for every algorithm but rfc9421.
std::unique_ptr<Prover> build_prover(const ProverSettings& settings, conf::Problems& problems);

}  // namespace belay::signature
