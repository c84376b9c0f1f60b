// What rehearse says: a summary for people and as JSON.
#include <fmt/format.h>

#include "admin/json_writer.h"
#include "cli/human.h"
#include "cli/rehearsal.h"
#include "cli/table.h"

namespace belay::cli {

namespace {

std::string webhooks(uint64_t count) { return fmt::format("{} {}", format_count(count), count == 1 ? "webhook" : "webhooks"); }

std::string counted(uint64_t count) { return count == 0 ? std::string() : format_count(count); }

void write_pairs(admin::JsonWriter& json, std::string_view name, const std::map<std::pair<std::string, std::string>, uint64_t>& pairs) {
  json.name(name).begin_array();
  for (const auto& [words, count] : pairs) {
    json.begin_object().field("from", words.first).field("to", words.second).field("count", count).end_object();
  }
  json.end_array();
}

}  // namespace

std::string RehearsalSummary::text(bool colours) const {
  std::string out = fmt::format("{} rehearsed: {} the same, {} would change\n", webhooks(rehearsed()), format_count(same),
                                coloured(format_count(changed), changed == 0 ? Colour::green : Colour::yellow, colours));
  Table outcome_table({{""}, {""}, {"", Align::right}});
  for (const auto& [words, count] : outcomes) outcome_table.add({"  " + words.first, Cell("→ " + words.second, colour_of_state(words.second)), format_count(count)});
  for (const auto& [words, count] : sources) outcome_table.add({"  source " + visible(words.first), "→ " + (words.second.empty() ? "none" : visible(words.second)), format_count(count)});
  if (!outcome_table.empty()) out += '\n' + outcome_table.print(colours, false);
  Table table({{"  DESTINATION"}, {"GAINS", Align::right}, {"LOSES", Align::right}, {"OTHER REQUEST", Align::right}});
  for (const auto& [name, counts] : destinations) table.add({"  " + visible(name), counted(counts.gained), counted(counts.lost), counted(counts.rewritten)});
  if (!table.empty()) out += '\n' + table.print(colours);
  if (!examples.empty()) out += fmt::format("\nFirst of them; 'belay show ID --raw' and 'belay explain' tell more:\n");
  for (const Example& example : examples) {
    for (size_t i = 0; i < example.differences.size(); ++i) {
      out += fmt::format("  {:<36}  {}\n", i == 0 ? example.id : std::string(), visible(example.differences[i].what));
    }
  }
  if (!not_kept.empty() || unreadable > 0) out += '\n';
  for (const auto& [word, count] : not_kept) out += fmt::format("Not rehearsed: {} {}, whose requests are not kept\n", webhooks(count), word);
  if (unreadable > 0) out += fmt::format("Not rehearsed: {} that cannot be read any more\n", webhooks(unreadable));
  return out;
}

std::string RehearsalSummary::json() const {
  admin::JsonWriter json;
  json.begin_object().field("rehearsed", rehearsed()).field("same", same).field("changed", changed);
  json.name("not_kept").begin_object();
  for (const auto& [word, count] : not_kept) json.field(word, count);
  json.end_object().field("unreadable", unreadable);
  write_pairs(json, "outcomes", outcomes);
  write_pairs(json, "sources", sources);
  json.name("destinations").begin_array();
  for (const auto& [name, counts] : destinations) {
    json.begin_object().field("destination", name).field("gained", counts.gained).field("lost", counts.lost);
    json.field("rewritten", counts.rewritten).end_object();
  }
  json.end_array().name("examples").begin_array();
  for (const Example& example : examples) {
    json.begin_object().field("id", example.id).field("source", example.source).name("changes").begin_array();
    for (const Difference& difference : example.differences) json.text(difference.what);
    json.end_array().end_object();
  }
  json.end_array().end_object();
  return json.take();
}

}  // namespace belay::cli
