import { describe, expect, it } from "vitest";
import { recordsTable } from "./table.js";

describe("recordsTable", () => {
  it("rounds fractions for readers and keeps the whole number at hand", () => {
    const html = recordsTable([{ a: 1 / 3, b: 120000, c: 0.5, d: 1e-9 / 3, e: Number.NaN }]);
    expect(html).toContain('<td title="0.3333333333333333">0.333333</td>');
    expect(html).toContain("<td>120000</td><td>0.5</td>");
    expect(html).toContain(">3.33333e-10</td><td>NaN</td>");
  });

  it("shows records that lack a key, and escapes texts", () => {
    expect(recordsTable([{ a: "<b>", b: 1 }, { a: "c" }])).toContain(
      "<tr><th>0</th><td>&#60;b&#62;</td><td>1</td></tr><tr><th>1</th><td>c</td><td></td></tr>",
    );
  });

  it("is for lists of plain records only", () => {
    for (const value of [[], [1], [{ a: 1 }, 2], [{}], {}, [new Map()]])
      expect(recordsTable(value)).toBeUndefined();
  });
});
