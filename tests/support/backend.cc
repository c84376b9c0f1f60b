#include "support/backend.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <stdexcept>

#include "base/bytes.h"

namespace belay::test {

Backend::Backend(const TempFolder& folder, const std::string& name) : base_(folder / name) { start(); }

void Backend::start() {
  const char* binary = getenv("BELAY_TEST_BACKEND");
  if (binary == nullptr) throw std::runtime_error("BELAY_TEST_BACKEND is not set; run the tests through meson test");
  unlink((base_ + ".port").c_str());
  process_ = std::make_unique<Process>(
      std::vector<std::string>{binary, "--port", std::to_string(port_), "--port-file", base_ + ".port", "--record",
                               base_ + ".record", "--mode-file", base_ + ".mode"},
      base_);
  if (!wait_for([&] { return !read_text(base_ + ".port").empty(); })) throw std::runtime_error("backend did not start: " + process_->err());
  port_ = std::stoi(read_text(base_ + ".port"));
}

void Backend::stop() { process_.reset(); }

void Backend::mode(const std::string& mode) const {
  const std::string temporary = base_ + ".mode.new";
  FILE* file = std::fopen(temporary.c_str(), "w");
  std::fputs(mode.c_str(), file);
  std::fclose(file);
  std::rename(temporary.c_str(), (base_ + ".mode").c_str());
}

std::vector<std::string> Backend::delivered_ids() const {
  std::vector<std::string> ids;
  std::ifstream record(base_ + ".record");
  for (std::string line; std::getline(record, line);) {
    const auto parts = split(std::string_view(line).substr(0, 4'096), '\t');
    if (parts.size() > 3 && parts[0] == "200") ids.emplace_back(parts[3]);
  }
  return ids;
}

std::vector<Seen> Backend::seen() const {
  std::vector<Seen> all;
  const std::string text = read_text(base_ + ".record");
  for (const auto line : split(text, '\n')) {
    const auto parts = split(line, '\t');
    if (parts.size() != 9) continue;
    Seen one;
    one.status = std::atoi(std::string(parts[0]).c_str());
    one.method = parts[1];
    one.target = parts[2];
    one.id = parts[3];
    one.attempt = parts[4];
    one.sha256 = parts[5];
    one.head = hex_decode(parts[6]).value_or("");
    one.body = hex_decode(parts[7]).value_or("");
    one.at_us = std::atoll(std::string(parts[8]).c_str());
    all.push_back(std::move(one));
  }
  return all;
}

size_t Backend::seen_count() const {
  const std::string text = read_text(base_ + ".record");
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace belay::test
