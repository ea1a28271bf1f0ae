import { expect, it } from "vitest";
import { data } from "../index.js";

it("mobyDick is the whole novel", async () => {
  const text = await data.mobyDick();
  expect(text.slice(0, 40)).toBe("Chapter 1. Loomings.\n\nCall me Ishmael. S");
  expect([text.length, new Set(text).size]).toEqual([1191160, 81]);
  expect(text.match(/^Chapter \d+\./gm)).toHaveLength(135);
  expect(text.trimEnd().endsWith("only found another orphan.")).toBe(true);
});
