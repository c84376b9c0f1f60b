// The corpus of tests/support/json_edge.h, and the same bytes as other payloads: an answer for each, soon.
#include <doctest/doctest.h>

#include <algorithm>

#include "support/compress.h"
#include "support/json_edge.h"
#include "unit/payload/fixture.h"

using namespace belay;
using namespace belay::payload_test;

TEST_CASE("every_edge_of_json_has_its_answer_soon") {
  int64_t slowest = 0;
  std::string slowest_name;
  for (const test::JsonEdge& edge : test::json_edges(size_t{10} << 20)) {
    Request request({{"Content-Type", "application/json"}}, edge.text);
    rules::Value value;
    const int64_t spent = milliseconds([&] { value = request.value(); });
    CHECK_MESSAGE(value.is_error() != edge.accepted, edge.name, ": ", value.is_error() ? show(value) : "accepted");
    if (value.is_error()) CHECK_EQ(value.failure().fault, rules::Fault::unreadable);
    CHECK_MESSAGE(spent < kSoon, edge.name, ": ", spent, " ms");
    if (spent > slowest) slowest_name = edge.name;
    slowest = std::max(slowest, spent);
  }
  MESSAGE("slowest: ", slowest_name, ", ", slowest, " ms");
}

TEST_CASE("the_same_bytes_as_xml_form_gzip_or_another_charset_have_an_answer_soon_too") {
  int64_t slowest = 0;
  std::string slowest_name;
  const auto time = [&](const std::string& name, Request request) {
    const int64_t spent = milliseconds([&] { static_cast<void>(request.value()); });
    CHECK_MESSAGE(spent < kSoon, name, ": ", spent, " ms");
    if (spent > slowest) slowest_name = name;
    slowest = std::max(slowest, spent);
  };
  for (const test::JsonEdge& edge : test::json_edges(size_t{10} << 20)) {
    time(edge.name + " as a form", {{{"Content-Type", "application/x-www-form-urlencoded"}}, edge.text});
    time(edge.name + " as XML", {{{"Content-Type", "text/xml"}}, edge.text});
    time(edge.name + " as XML text", {{{"Content-Type", "text/xml"}}, "<a>" + edge.text + "</a>"});
    for (const char* charset : {"iso-8859-1", "windows-1252", "utf-16le", "gb18030"}) {
      time(edge.name + " in " + charset, {{{"Content-Type", std::string("application/json; charset=") + charset}}, edge.text});
    }
    time(edge.name + " in gzip", {{{"Content-Type", "application/json"}, {"Content-Encoding", "gzip"}}, test::compress(edge.text)});
  }
  MESSAGE("slowest: ", slowest_name, ", ", slowest, " ms");
}
