// Backends as the two halves of Belay see them: an upstream::Sender whose attempts end as the dice and the backend's present
// mood say. A backend takes a webhook at one moment and its answer arrives at a later one, or never: an attempt that is given
// up in between was taken all the same. One for the proxy, one for the spool, with the same backends behind them.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "sim/oracle.h"
#include "sim/chance.h"
#include "upstream/client.h"

namespace belay::sim {

enum class Mood : uint8_t { well, moody, down, failing, throttling, hanging, refusing };

class Backends {
 public:
  void set(const std::string& name, Mood mood) { moods_[name] = mood; }
  Mood of(const std::string& name) const {
    const auto at = moods_.find(name);
    return at == moods_.end() ? Mood::well : at->second;
  }
  void all_well() { moods_.clear(); }

 private:
  std::unordered_map<std::string, Mood> moods_;
};

class Network final : public upstream::Sender {
 public:
  Network(Side side, const Backends& backends, Dice& dice, Agenda& agenda, Oracle& oracle)
      : side_(side), backends_(backends), dice_(dice), agenda_(agenda), oracle_(oracle) {}

  std::unique_ptr<Call> send(std::shared_ptr<const upstream::Destination> to, const upstream::Outbound& request, Done done) override;

 private:
  struct Flight;
  // How an attempt ends.
  struct Fate {
    upstream::Outcome outcome = upstream::Outcome::answered;
    int status = 200;
    bool arrives = true;  // at the backend
    Duration takes{1}, answer_after{1};
    Duration retry_after{-1};
  };
  Fate fate_of(const upstream::Destination& to);
  Fate moody();
  void land(const std::shared_ptr<Flight>& flight);

  Side side_;
  const Backends& backends_;
  Dice& dice_;
  Agenda& agenda_;
  Oracle& oracle_;
  std::unordered_map<std::string, int> in_flight_;
};

}  // namespace belay::sim
