// Aligned columns for people: a heading line, cells padded to the widest of their column, two spaces between columns, nothing
// behind the last one. Columns without any content are left out, so that a table shows only what applies. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cli/human.h"

namespace belay::cli {

enum class Align : uint8_t { left, right };

struct Column {
  std::string heading;
  Align align = Align::left;
  bool always = false;  // stays even when every cell is empty
};

struct Cell {
  Cell(std::string text_in, Colour colour_in = Colour::none) : text(std::move(text_in)), colour(colour_in) {}  // NOLINT
  Cell(const char* text_in = "") : text(text_in) {}                                                            // NOLINT
  std::string text;
  Colour colour = Colour::none;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns);
  // As many cells as columns.
  void add(std::vector<Cell> row);
  bool empty() const { return rows_.empty(); }
  // The rows added since the last print. Widths only grow, so that later rows stand under earlier ones.
  std::string print(bool colours, bool heading = true);

 private:
  std::string line(const std::vector<Cell>& cells, bool colours) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
  std::vector<size_t> widths_;  // 0: left out
};

}  // namespace belay::cli
