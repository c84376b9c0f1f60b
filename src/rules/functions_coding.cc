// Hashes, encodings, and values as JSON, XML and form text.
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <cstring>

#include "base/bytes.h"
#include "base/random.h"
#include "json/document.h"
#include "rules/escape.h"
#include "rules/functions.h"
#include "rules/write.h"

namespace belay::rules {

namespace {

using Arguments = std::span<const Value>;
constexpr Kinds kString = bit(Kind::string), kBytes = bit(Kind::bytes);

bool pay(Frame& frame, std::string_view text) { return frame.charge(10 + text.size() / 4); }
// A digest costs less than a nanosecond a byte and makes nothing of the size of its text: that of the largest body must fit.
bool pay_digest(Frame& frame, std::string_view text) { return frame.charge(10 + text.size() / 16); }

template <std::string (*Encode)(std::string_view)>
Value encode(Frame& frame, Arguments a, uint32_t offset) {
  if (!pay(frame, a[0].text())) return frame.over_budget(offset);
  return frame.keep_string(Encode(a[0].text()), offset);
}

Value keep_bytes(Frame& frame, std::string_view bytes, uint32_t offset) {
  const Value kept = frame.keep_string(bytes, offset);
  return kept.is_error() ? kept : Value::bytes(kept.text());
}

template <std::optional<std::string> (*Decode)(std::string_view)>
Value decode(Frame& frame, Arguments a, uint32_t offset) {
  if (!pay(frame, a[0].text())) return frame.over_budget(offset);
  const auto decoded = Decode(a[0].text());
  if (!decoded) return frame.fail(Fault::invalid, "cannot decode '" + printable(a[0].text(), 40) + "'", offset);
  return keep_bytes(frame, *decoded, offset);
}

// base64 in either alphabet, as senders mix them.
std::optional<std::string> any_base64(std::string_view text) {
  return text.find_first_of("-_") == std::string_view::npos ? base64_decode(text) : base64url_decode(text);
}

template <const EVP_MD* (*Algorithm)()>
Value digest(Frame& frame, Arguments a, uint32_t offset) {
  if (!pay_digest(frame, a[0].text())) return frame.over_budget(offset);
  std::array<unsigned char, EVP_MAX_MD_SIZE> out;
  unsigned size = 0;
  if (EVP_Digest(a[0].text().data(), a[0].text().size(), out.data(), &size, Algorithm(), nullptr) != 1) {
    return frame.fail(Fault::invalid, "the digest is not available", offset);
  }
  return keep_bytes(frame, {reinterpret_cast<const char*>(out.data()), size}, offset);
}

// hmac_sha256(key, message)
template <const EVP_MD* (*Algorithm)()>
Value hmac(Frame& frame, Arguments a, uint32_t offset) {
  if (!pay_digest(frame, a[1].text()) || !pay_digest(frame, a[0].text())) return frame.over_budget(offset);
  std::array<unsigned char, EVP_MAX_MD_SIZE> out;
  unsigned size = 0;
  // OpenSSL reads a null key as "the key of last time"; an empty one has an address of its own.
  const char* const key = a[0].text().empty() ? "" : a[0].text().data();
  if (HMAC(Algorithm(), key, static_cast<int>(a[0].text().size()), reinterpret_cast<const unsigned char*>(a[1].text().data()),
           a[1].text().size(), out.data(), &size) == nullptr) {
    return frame.fail(Fault::invalid, "the digest is not available", offset);
  }
  return keep_bytes(frame, {reinterpret_cast<const char*>(out.data()), size}, offset);
}

// json("{…}"): the value inside a string.
Value parse_json(Frame& frame, Arguments a, uint32_t offset) {
  if (!pay(frame, a[0].text())) return frame.over_budget(offset);
  auto parsed = json::Document::parse(a[0].text());
  if (!parsed) return frame.fail(Fault::invalid, "json(): " + parsed.error().message, offset);
  const json::Document* document = frame.arena.keep(std::move(parsed).value());
  if (document == nullptr) return frame.out_of_memory(offset);
  return Value::json(*document, document->root());
}

Value to_json(Frame& frame, Arguments a, uint32_t offset) {
  const auto text = a[0].to_json();
  if (!text) return frame.fail(Fault::invalid, text.error().message, offset);
  return frame.keep_string(*text, offset);
}

std::string urlencode(std::string_view text) {
  std::string out;
  append_url_text(out, text);
  return out;
}

// xml(value), form(value): one writer with `as:` of a transform.
template <Result<void> (*Write)(std::string&, const Value&, Arena&)>
Value write(Frame& frame, Arguments a, uint32_t offset) {
  std::string text;
  if (const auto done = Write(text, a[0], frame.arena); !done) return frame.fail(Fault::invalid, done.error().message, offset);
  if (!pay(frame, text)) return frame.over_budget(offset);
  return frame.keep_string(text, offset);
}

Value uuid_text(Frame& frame, std::array<uint8_t, 16> bytes, int version, uint32_t offset) {
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0F) | version << 4);
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3F) | 0x80);
  std::string text = hex_encode({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  for (const size_t at : {8, 13, 18, 23}) text.insert(at, 1, '-');
  return frame.keep_string(text, offset);
}

// uuid(): random (RFC 9562 §5.4). uuid(name): always the same for a name (§5.5, in a namespace of Belay's own).
Value uuid(Frame& frame, Arguments a, uint32_t offset) {
  std::array<uint8_t, 16> bytes;
  if (a.empty()) {
    thread_local SystemRandom random;
    for (size_t i = 0; i < bytes.size(); i += 8) {
      const uint64_t word = random.next();
      memcpy(bytes.data() + i, &word, 8);
    }
    return uuid_text(frame, bytes, 4, offset);
  }
  static constexpr std::string_view kNamespace = "\x5b\x1f\x0c\x8e\x3a\x67\x4d\x21\x9c\x40\xbe\x1a\xf0\x0d\x77\x15";
  if (!pay(frame, a[0].text())) return frame.over_budget(offset);
  const std::string seed = std::string(kNamespace) + std::string(a[0].text());
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest_bytes;
  unsigned size = 0;
  if (EVP_Digest(seed.data(), seed.size(), digest_bytes.data(), &size, EVP_sha1(), nullptr) != 1 || size < bytes.size()) {
    return frame.fail(Fault::invalid, "the digest is not available", offset);
  }
  std::copy_n(digest_bytes.begin(), bytes.size(), bytes.begin());
  return uuid_text(frame, bytes, 5, offset);
}

constexpr Function kFunctions[] = {
    {"hex", Style::global, 1, 1, {kText}, kString, encode<hex_encode>},
    {"unhex", Style::global, 1, 1, {kString}, kBytes, decode<hex_decode>},
    {"base64", Style::global, 1, 1, {kText}, kString, encode<base64_encode>},
    {"base64url", Style::global, 1, 1, {kText}, kString, encode<base64url_encode>},
    {"unbase64", Style::global, 1, 1, {kString}, kBytes, decode<any_base64>},
    {"base64.encode", Style::global, 1, 1, {kBytes}, kString, encode<base64_encode>},
    {"base64.decode", Style::global, 1, 1, {kString}, kBytes, decode<base64_decode>},
    {"sha1", Style::global, 1, 1, {kText}, kBytes, digest<EVP_sha1>},
    {"sha256", Style::global, 1, 1, {kText}, kBytes, digest<EVP_sha256>},
    {"sha512", Style::global, 1, 1, {kText}, kBytes, digest<EVP_sha512>},
    {"hmac_sha1", Style::global, 2, 2, {kText, kText}, kBytes, hmac<EVP_sha1>},
    {"hmac_sha256", Style::global, 2, 2, {kText, kText}, kBytes, hmac<EVP_sha256>},
    {"hmac_sha512", Style::global, 2, 2, {kText, kText}, kBytes, hmac<EVP_sha512>},
    {"json", Style::global, 1, 1, {kText}, kAny, parse_json, false},
    {"to_json", Style::global, 1, 1, {kAny}, kString, to_json, true, true},
    {"xml", Style::global, 1, 1, {kAny}, kString, write<append_xml>, true, true},
    {"form", Style::global, 1, 1, {kAny}, kString, write<append_form>, true, true},
    {"urlencode", Style::global, 1, 1, {kText}, kString, encode<urlencode>},
    {"uuid", Style::global, 0, 1, {kText}, kString, uuid, false},
};

}  // namespace

std::span<const Function> coding_functions() { return kFunctions; }

}  // namespace belay::rules
