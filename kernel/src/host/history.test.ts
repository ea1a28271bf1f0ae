import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { toPoints, toUnits } from "./cursor.js";
import { History } from "./history.js";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "history-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const open = () => new History(join(directory, "h.jsonl"), () => {});

it("numbers sessions, and keeps what other lines of the file cannot spoil", () => {
  const first = open();
  first.add(1, "a");
  first.add(2, "b");
  appendFileSync(join(directory, "h.jsonl"), 'not json\n[1]\n["x", 1, 2]\n');
  const second = open();
  second.add(1, "c");
  expect(second.tail(9)).toEqual([
    [1, 1, "a"],
    [1, 2, "b"],
    [2, 1, "c"],
  ]);
  expect(second.range(0, 1, undefined)).toEqual([[2, 1, "c"]]);
  expect(second.range(-1, 2, 3)).toEqual([[1, 2, "b"]]);
  expect(second.range(1, 1, 2)).toEqual([[1, 1, "a"]]);
  expect(second.tail(0)).toEqual([]);
});

it("searches by glob, the last entries, unique ones", () => {
  const history = open();
  for (const [index, input] of ["let a", "let b", "let a", "const c"].entries())
    history.add(index + 1, input);
  const found = (pattern: string, count?: number, unique = false) =>
    history.search(pattern, count, unique).map(([, , input]) => input);
  expect(found("let*")).toEqual(["let a", "let b", "let a"]);
  expect(found("let ?", 2)).toEqual(["let b", "let a"]);
  expect(found("let*", undefined, true)).toEqual(["let a", "let b"]);
  expect(found("*c")).toEqual(["const c"]);
  expect(found("let")).toEqual([]);
  expect(found(`${"*a".repeat(30)}z`)).toEqual([]);
});

it("counts a cursor in code points", () => {
  const text = "a😀b";
  expect([0, 1, 2, 3, 9].map((points) => toUnits(text, points))).toEqual([0, 1, 3, 4, 4]);
  expect([0, 1, 3, 4].map((units) => toPoints(text, units))).toEqual([0, 1, 2, 3]);
});
