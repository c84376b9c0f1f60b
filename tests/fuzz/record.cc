// Values as the spool stores them. The first byte chooses: a value as it is, or the payload of a sealed message or delivery, so that the checksum
// does not end every walk. What can be read is written again and reads as the same; the short reading of a delivery agrees with the whole.
#include <string>

#include "fuzz/input.h"
#include "spool/record.h"

using namespace belay;
using namespace belay::spool;

namespace {

void check_message(std::string_view stored) {
  const auto read = read_message(stored);
  if (!read.ok()) {
    BELAY_CHECK(!read.error().message.empty());
    return;
  }
  std::string again;
  append_sealed(again, read->message, SIZE_MAX);
  BELAY_CHECK(read_message(again).ok());
}

void check_delivery(std::string_view stored) {
  const auto head = read_delivery_head(stored);
  const auto read = read_delivery(stored);
  if (!read.ok()) return;
  BELAY_CHECK(head.ok() && head->state == read->state && head->due == read->due && head->attempts == read->attempts);
  std::string written, again;
  append_sealed(written, *read);
  const auto second = read_delivery(written);
  BELAY_CHECK(second.ok() && second->state == read->state && second->due == read->due);
  append_sealed(again, *second);
  BELAY_CHECK(again == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes = fuzz::text(data, size).substr(1);
  std::string sealed;
  append_sealed(sealed, bytes);
  const auto opened = unseal(sealed);
  BELAY_CHECK(opened.ok() && *opened == bytes);
  switch (data[0] % 3) {
    case 0:
      check_message(bytes);
      check_delivery(bytes);
      break;
    case 1: check_message(sealed); break;
    default: check_delivery(sealed); break;
  }
  return 0;
}
