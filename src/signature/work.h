// What one check of one request works with: the request, the secrets and parameters of the source, and what of the signature
// was found on the way. Lives on the stack of Scheme::check() or sign(); one thread.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "payload/request_context.h"
#include "rules/template.h"
#include "signature/digest.h"
#include "signature/key_source.h"
#include "signature/secrets.h"

namespace belay::signature {

struct Work {
  Work(payload::RequestContext& context_in, const Keyring& keyring, WallTime now_in, KeySource* keys_in)
      : context(context_in), now(now_in), keys(keys_in), secrets(keyring.secrets, now_in), params(keyring.params) {
    lent.secrets = &secrets;
    lent.params = &params;
  }
  void note_proven(std::string_view text);
  // Public-key arithmetic is what costs most: no request has more of it than this, whatever it gives and whatever is published.
  static constexpr int kMaxVerifications = 64;
  bool may_verify() { return ++verifications <= kMaxVerifications; }
  size_t proven_size() const { return proven == nullptr ? 0 : proven->size(); }

  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  payload::RequestContext& context;
  WallTime now;
  KeySource* keys;  // null: no document of keys can be had
  int verifications = 0;
  bool cut_short = false;         // an expression came to the limit of its work or memory: that no proof was found says nothing
  std::string* proven = nullptr;  // gets hashes of what was found to be signed; null: nobody asks
  LentSecrets secrets;
  ParamTable params;
  payload::Lent lent;  // given to expressions for as long as one runs
};

// Lends to the context while it lives.
class Loan {
 public:
  explicit Loan(Work& work) : context_(work.context) { context_.lend(&work.lent); }
  ~Loan() { context_.lend(nullptr); }
  Loan(const Loan&) = delete;
  Loan& operator=(const Loan&) = delete;

 private:
  payload::RequestContext& context_;
};

// Hands the text of a template to `sink` piece by piece; the body and the timestamp are never copied. False when a part of it
// cannot be read from this request.
template <typename Sink>
bool feed(const rules::Template& over, Work& work, const Sink& sink) {
  std::string text;
  for (const rules::Template::Part& part : over.parts()) {
    if (part.plain_variable && part.variable == rules::Variable::raw) {
      sink(work.context.view().body);
    } else if (part.plain_variable && part.variable == rules::Variable::ts) {
      sink(work.lent.timestamp);
    } else if (!part.expression) {
      sink(std::string_view(part.literal));
    } else {
      const Loan loan(work);
      text.clear();
      if (const auto done = over.append_part(part, work.context, text); !done) {
        work.cut_short = work.cut_short || done.error().kind == ErrorKind::full;
        return false;
      }
      sink(std::string_view(text));
    }
  }
  return true;
}

inline void Work::note_proven(std::string_view text) {
  if (proven == nullptr) return;
  const Hash hash(Digest::sha256);
  hash.update(text);
  Hash::Room room;
  proven->append(hash.finish(room));
}

// note_proven() of a template's text.
inline void note_proven(const rules::Template& over, Work& work) {
  if (work.proven == nullptr) return;
  const Hash hash(Digest::sha256);
  feed(over, work, [&hash](std::string_view piece) { hash.update(piece); });
  Hash::Room room;
  work.proven->append(hash.finish(room));
}

}  // namespace belay::signature
