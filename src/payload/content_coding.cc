#include "payload/content_coding.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "base/bytes.h"

namespace belay::payload {

namespace {

constexpr size_t kPiece = size_t{64} << 10;
// zlib's windowBits: 15 is the largest window, +16 means a gzip wrapper, negative means none.
constexpr int kZlibWindow = 15, kGzipWindow = 15 + 16, kRawWindow = -15;

class Inflater {
 public:
  explicit Inflater(int window) : ready_(inflateInit2(&stream_, window) == Z_OK) {}
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() {
    if (ready_) inflateEnd(&stream_);
  }

  // `members`: the text may be several streams one behind the other (RFC 1952 §2.2).
  Result<std::string> run(std::string_view text, bool members, const CodingLimits& limits) {
    if (!ready_ || text.size() > std::numeric_limits<uInt>::max()) return Error{ErrorKind::full, "no memory for its compressed stream"};
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream_.avail_in = static_cast<uInt>(text.size());
    std::string out;
    char piece[kPiece];
    for (;;) {
      stream_.next_out = reinterpret_cast<Bytef*>(piece);
      stream_.avail_out = kPiece;
      const int status = inflate(&stream_, Z_NO_FLUSH);
      if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) return invalid("its compressed stream is broken");
      const size_t made = kPiece - stream_.avail_out, read = text.size() - stream_.avail_in;
      if (made > limits.bytes - out.size()) return Error{ErrorKind::full, "it unfolds to more than " + std::to_string(limits.bytes) + " bytes"};
      out.append(piece, made);
      if (out.size() > CodingLimits::kRatioFrom && out.size() / limits.ratio > read) {
        return Error{ErrorKind::full, "it unfolds to more than " + std::to_string(limits.ratio) + " times its size"};
      }
      if (status == Z_STREAM_END) {
        if (stream_.avail_in == 0) return out;
        if (!members || inflateReset(&stream_) != Z_OK) return invalid("something follows its compressed stream");
      } else if (stream_.avail_in == 0 && made < kPiece) {
        return invalid("its compressed stream is cut short");
      }
    }
  }

 private:
  z_stream stream_{};
  bool ready_;
};

// "deflate" is a zlib stream (RFC 1950); senders that leave its two header bytes out are known well enough to be read.
bool has_zlib_header(std::string_view text) {
  if (text.size() < 2) return false;
  const auto method = static_cast<uint8_t>(text[0]), flags = static_cast<uint8_t>(text[1]);
  return (method & 0x0F) == Z_DEFLATED && (method << 8 | flags) % 31 == 0;
}

Result<std::string> undo(Coding coding, std::string_view text, const CodingLimits& limits) {
  if (coding == Coding::gzip) return Inflater(kGzipWindow).run(text, true, limits);
  return Inflater(has_zlib_header(text) ? kZlibWindow : kRawWindow).run(text, false, limits);
}

}  // namespace

Result<std::vector<Coding>> content_codings(const http::Fields& fields) {
  std::vector<Coding> codings;
  for (const http::Field& field : fields) {
    if (!ascii_iequals(field.name, "content-encoding")) continue;
    for (const std::string_view item : split(field.value, ',')) {
      const std::string_view name = trim_ows(item);
      if (name.empty() || ascii_iequals(name, "identity")) continue;
      if (ascii_iequals(name, "gzip") || ascii_iequals(name, "x-gzip")) {
        codings.push_back(Coding::gzip);
      } else if (ascii_iequals(name, "deflate")) {
        codings.push_back(Coding::deflate);
      } else {
        return invalid("its content coding '" + printable(name, 40) + "' is not one that can be read (gzip, deflate)");
      }
      if (codings.size() > kMaxCodings) return Error{ErrorKind::full, "it has more than " + std::to_string(kMaxCodings) + " content codings"};
    }
  }
  return codings;
}

Result<std::string> undo_codings(const std::vector<Coding>& codings, std::string_view body, const CodingLimits& limits) {
  std::string text;
  for (auto coding = codings.rbegin(); coding != codings.rend(); ++coding) {
    auto undone = undo(*coding, coding == codings.rbegin() ? body : std::string_view(text), limits);
    if (!undone) return undone.error();
    text = std::move(undone).value();
  }
  return text;
}

}  // namespace belay::payload
