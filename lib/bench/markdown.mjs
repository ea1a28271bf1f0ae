// Markdown tables with aligned columns, as the formatter wants them.

/** @param rows arrays of cells, the head first; @param right which columns are aligned to the right */
export function markdownTable(rows, right) {
  const texts = rows.map((row) => row.map(String));
  const widths = texts[0].map((_, i) => Math.max(3, ...texts.map((row) => row[i].length)));
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const padded = texts.map((row) =>
    line(row.map((cell, i) => (right[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))),
  );
  const rule = line(widths.map((width, i) => (right[i] ? `${"-".repeat(width - 1)}:` : "-".repeat(width))));
  return [padded[0], rule, ...padded.slice(1)].join("\n");
}
