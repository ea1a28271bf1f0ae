import { describe, expect, it } from "vitest";
import { unsavedNames } from "./unsaved.js";

describe("unsavedNames", () => {
  const saved = ["function order(edges) {\n  return 1;\n}", "const rate = 0.1;", "order([])"];

  it("finds what was last run with another text than the file has", () => {
    expect(unsavedNames(saved, [])).toEqual([]);
    expect(unsavedNames(saved, [saved[0]!, saved[1]!])).toEqual([]);
    const edited = "function order(edges) {\n  return 2;\n}";
    expect(unsavedNames(saved, [saved[0]!, edited])).toEqual(["order"]);
    // Run again as it is saved, or with a line end more: all is well.
    expect(unsavedNames(saved, [edited, `${saved[0]}\n`])).toEqual([]);
  });

  it("takes every kind of declaration, and none of another cell or of an inner function", () => {
    const cells = ["async function a() {}", "class B {}", "export const c = 1;", "let d", "function* e() {}"];
    const ran = cells.map((cell) => `${cell} // edited`);
    expect(unsavedNames(cells, ran)).toEqual(["a", "B", "c", "d", "e"]);
    expect(unsavedNames(saved, ["const other = 1;", "if (true) {\n  function order() {}\n}"])).toEqual([]);
  });
});
