#include <fmt/format.h>

#include <algorithm>

#include "cli/explain_view.h"
#include "cli/explained.h"
#include "cli/human.h"
#include "cli/table.h"

namespace belay::cli {

using pipeline::Trace;

namespace {

constexpr size_t kMaxChanges = 60;      // lines of one route's changes; --json has all
constexpr size_t kMaxText = 160;        // characters of one value
constexpr size_t kMaxBodyLines = 60;
constexpr size_t kMaxBodyLine = 400;

Colour colour_of(Trace::Decision decision, bool accepted) {
  if (decision == Trace::Decision::passed) return Colour::green;
  if (decision == Trace::Decision::answered) return accepted ? Colour::green : Colour::red;
  return Colour::yellow;
}

Colour colour_of(Trace::Truth truth) {
  return truth == Trace::Truth::yes ? Colour::green : truth == Trace::Truth::no ? Colour::grey : Colour::red;
}

class Page {
 public:
  Page(const DryRun& run, bool colours) : run_(run), explained_(run), colours_(colours) {}

  std::string text() {
    request();
    modules();
    for (const ExplainedRoute& route : explained_.routes) this->route(route);
    answer();
    return out_;
  }

 private:
  void line(std::string_view text) { out_.append(text).append(1, '\n'); }
  std::string bold(std::string_view text) const { return coloured(text, Colour::bold, colours_); }
  std::string shown(std::string_view text, size_t most) const { return visible(explained_.mask.text(text), most); }

  void request() {
    const pipeline::Exchange& exchange = explained_.exchange;
    line(fmt::format("{} {}  {} from {}, {}", exchange.request.method, visible(explained_.mask.target(exchange.request.target)),
                     format_bytes(exchange.body.size()), exchange.client.text(), format_local_time(exchange.received)));
    if (exchange.source == nullptr) return line("no source");
    line(fmt::format("source {} (trust {})  {}", bold(exchange.source->name), pipeline::to_string(exchange.source->trust),
                     exchange.source->named->position.to_string()));
  }

  // The first line of a module, then one for each thing it found.
  void modules() {
    Table table({{""}, {""}, {""}, {""}});
    const auto add = [&](std::string_view module, std::string_view decision, Colour colour, std::vector<std::pair<Cell, std::string>> details) {
      if (details.empty()) details.emplace_back(Cell(), std::string());
      for (size_t i = 0; i < details.size(); ++i) {
        table.add({i == 0 ? std::string("  ") + std::string(module) : std::string(), i == 0 ? Cell(std::string(decision), colour) : Cell(),
                   details[i].first, details[i].second});
      }
    };
    for (const Trace::Step& step : explained_.trace.steps) {
      add(step.module, to_string(step.decision), colour_of(step.decision, run_.accepted()), details_of(step));
    }
    if (!explained_.between.empty()) {
      add("body", "answered", Colour::red, {{Cell(fmt::format("{}", explained_.exchange.reply.status)), std::string(explained_.between)}});
    }
    for (const std::string_view module : explained_.not_reached) add(module, "not reached", Colour::grey, {});
    out_ += '\n' + table.print(colours_, false);
  }

  std::vector<std::pair<Cell, std::string>> details_of(const Trace::Step& step) const {
    std::vector<std::pair<Cell, std::string>> details;
    const pipeline::Exchange& exchange = explained_.exchange;
    if (step.decision == Trace::Decision::answered && step.module != "deliver") {
      details.emplace_back(Cell(fmt::format("{}", exchange.reply.status)), shown(exchange.reason, kMaxText * 2));
    }
    if (step.decision == Trace::Decision::excused) details.emplace_back(Cell("not proved"), visible(step.note));
    for (const auto& [name, value] : step.facts) details.emplace_back(Cell(name), shown(value, kMaxText));
    for (const Trace::Condition& condition : step.conditions) {
      details.emplace_back(Cell(fmt::format("{} {}", condition.place, to_string(condition.truth)), colour_of(condition.truth)),
                           fmt::format("{}  ({})", visible(condition.text, kMaxText), condition.position.to_string()));
      if (!condition.error.empty()) details.emplace_back(Cell(), shown(condition.error, kMaxText * 2));
    }
    return details;
  }

  void route(const ExplainedRoute& route) {
    std::string to;
    for (const Trace::Send* send : route.sends) {
      to += fmt::format("{}{}{}", to.empty() ? "" : ", ", send->to->name, send->at_once ? " at once" : " through the spool");
    }
    line(fmt::format("\n{} to {}", bold(fmt::format("Route {}", route.number)), to));
    if (route.transformed) changes(route.changes);
    for (const Trace::Send* send : route.sends) this->send(*send);
  }

  void changes(const std::vector<Change>& changes) {
    if (changes.empty()) return line("  its transform changes nothing");
    size_t shown = 0;
    for (const Change& change : changes) {
      if (++shown > kMaxChanges) return line(fmt::format("  … {} more; --json has all", changes.size() - kMaxChanges));
      if (change.place == "payload" && (change.before.find('\n') != std::string::npos || change.after.find('\n') != std::string::npos || change.before.size() > kMaxText)) {
        line("  ~ payload, before:");
        body(change.before, "    ");
        line("    after: see the request");
        continue;
      }
      const std::string before = visible(change.before, kMaxText), after = visible(change.after, kMaxText);
      switch (change.kind) {
        case Change::Kind::changed: line(coloured(fmt::format("  ~ {}: {} → {}", visible(change.place), before, after), Colour::yellow, colours_)); break;
        case Change::Kind::removed: line(coloured(fmt::format("  - {}: {}", visible(change.place), before), Colour::red, colours_)); break;
        case Change::Kind::added: line(coloured(fmt::format("  + {}: {}", visible(change.place), after), Colour::green, colours_)); break;
      }
    }
  }

  void send(const Trace::Send& send) {
    const http::Url& url = send.to->urls.front();
    if (!send.failure.empty()) return line(coloured(fmt::format("  {}: nothing is sent: {}", send.to->name, shown(send.failure, kMaxText * 2)), Colour::red, colours_));
    line(fmt::format("  {}  {}://{}", bold(send.to->name), url.scheme, url.scheme == "unix" ? url.host : url.authority()));
    body(explained_.mask.head(send.head), "    ");
    body(explained_.mask.text(send.request.body), "    ");
  }

  void body(std::string_view text, std::string_view indent) {
    size_t lines = 0;
    for (size_t begin = 0; begin < text.size();) {
      if (++lines > kMaxBodyLines) return line(fmt::format("{}… {} bytes in all", indent, text.size()));
      const size_t end = std::min(text.find('\n', begin), text.size());
      std::string_view one = text.substr(begin, end - begin);
      if (one.ends_with('\r')) one.remove_suffix(1);
      std::string spaced;
      for (const char c : one) c == '\t' ? spaced += "  " : spaced += c;
      line(one.empty() ? std::string() : fmt::format("{}{}", indent, visible(spaced, kMaxBodyLine)));
      begin = end + 1;
    }
  }

  void answer() {
    const pipeline::Exchange& exchange = explained_.exchange;
    std::string reply = fmt::format("{}", exchange.reply.status);
    std::string_view text = exchange.reply.body;
    while (text.ends_with('\n')) text.remove_suffix(1);
    if (!text.empty()) reply += "  " + shown(text, kMaxText * 2);
    if (explained_.answered_by.empty()) {
      line(fmt::format("\n{} {}", bold("The sender gets"), reply));
    } else {
      line(fmt::format("\n{} the answer of {}; while {} cannot answer: {}", bold("The sender gets"), explained_.answered_by, explained_.answered_by, reply));
    }
  }

  const DryRun& run_;
  const Explained explained_;
  const bool colours_;
  std::string out_;
};

}  // namespace

std::string explain_text(const DryRun& run, bool colours) { return Page(run, colours).text(); }

}  // namespace belay::cli
