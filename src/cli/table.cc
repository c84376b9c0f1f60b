#include "cli/table.h"

#include <algorithm>

#include "base/check.h"

namespace belay::cli {

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)), widths_(columns_.size(), 0) {
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].always) widths_[i] = text_width(columns_[i].heading);
  }
}

void Table::add(std::vector<Cell> row) {
  BELAY_CHECK(row.size() == columns_.size());
  for (size_t i = 0; i < row.size(); ++i) {
    if (row[i].text.empty()) continue;
    widths_[i] = std::max({widths_[i], text_width(row[i].text), text_width(columns_[i].heading)});
  }
  rows_.push_back(std::move(row));
}

std::string Table::line(const std::vector<Cell>& cells, bool colours) const {
  std::string out;
  size_t owed = 0;  // spaces that are written only when something follows
  for (size_t i = 0; i < cells.size(); ++i) {
    if (widths_[i] == 0) continue;
    const size_t padding = widths_[i] - std::min(widths_[i], text_width(cells[i].text));
    const bool right = columns_[i].align == Align::right;
    if (!cells[i].text.empty()) {
      out.append(owed + (right ? padding : 0), ' ');
      out += coloured(cells[i].text, cells[i].colour, colours);
      owed = right ? 2 : padding + 2;
    } else {
      owed += padding + 2;
    }
  }
  out.push_back('\n');
  return out;
}

std::string Table::print(bool colours, bool heading) {
  std::string out;
  if (heading) {
    std::vector<Cell> headings;
    for (const Column& column : columns_) headings.emplace_back(column.heading, Colour::bold);
    out += line(headings, colours);
  }
  for (const auto& row : rows_) out += line(row, colours);
  rows_.clear();
  return out;
}

}  // namespace belay::cli
