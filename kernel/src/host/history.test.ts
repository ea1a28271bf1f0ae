import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
  expect(found("let*", undefined, true)).toEqual(["let b", "let a"]);
  expect(found("*", 2, true)).toEqual(["let a", "const c"]);
  expect(found("*c")).toEqual(["const c"]);
  expect(found("let")).toEqual([]);
  expect(found(`${"*a".repeat(30)}z`)).toEqual([]);
});

it("numbers the sessions of kernels that write at once, and shows each what the others wrote", () => {
  const kernels = [open(), open(), open()];
  for (const [index, history] of kernels.entries()) history.tail(1) && history.add(1, `from ${index}`);
  for (const [index, history] of kernels.entries()) history.add(2, `again ${index}`);
  const all = [
    [1, 1, "from 0"],
    [2, 1, "from 1"],
    [3, 1, "from 2"],
    [1, 2, "again 0"],
    [2, 2, "again 1"],
    [3, 2, "again 2"],
  ];
  for (const [index, history] of kernels.entries()) {
    expect(history.tail(9)).toEqual(all);
    expect(history.range(0, 1, undefined)).toEqual(all.filter(([session]) => session === index + 1));
  }
});

it("gives each shell a session of its own, and results to inputs", () => {
  const history = open();
  history.add(1, "main");
  history.add(1, "sub", 1);
  history.addOutput(1, "of sub", 1);
  history.addOutput(1, "x".repeat(20_000));
  expect(history.range(0, 1, undefined, 1)).toEqual([[2, 1, "sub", "of sub"]]);
  expect(open().range(1, 1, undefined)[0]![3]).toHaveLength(10_000);
});

it("is shortened without losing the count of sessions or what another kernel appends", () => {
  const file = join(directory, "h.jsonl");
  const lines = [
    { session: "old" },
    ...Array.from({ length: 50_001 }, (_, index) => [1, index, `cell ${index}`]),
  ];
  writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  const first = open();
  const second = open();
  first.add(1, "mine"); // shortens
  expect(readFileSync(file, "utf8").split("\n").length).toBeLessThan(10_010);
  second.add(1, "other");
  first.add(2, "mine again");
  for (const history of [first, second, open()])
    expect(history.tail(4)).toEqual([
      [1, 50_000, "cell 50000"],
      [2, 1, "mine"],
      [3, 1, "other"],
      [2, 2, "mine again"],
    ]);
});

it("lives in memory where the file cannot be written, and says so once", () => {
  appendFileSync(join(directory, "h.jsonl"), "");
  const log: string[] = [];
  const history = new History(join(directory, "h.jsonl", "no", "folder"), (line) => log.push(line));
  history.add(1, "kept");
  history.addOutput(1, "2");
  expect(history.range(0, 0, undefined)).toEqual([[1, 1, "kept", "2"]]);
  expect(log).toEqual([expect.stringContaining("history not written")]);
});

it("counts a cursor in code points", () => {
  const text = "a😀b";
  expect([0, 1, 2, 3, 9].map((points) => toUnits(text, points))).toEqual([0, 1, 3, 4, 4]);
  expect([0, 1, 3, 4].map((units) => toPoints(text, units))).toEqual([0, 1, 2, 3]);
});
