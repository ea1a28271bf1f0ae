/** Files that are traps. None is followed, none hangs or crashes the grader, and none harms the file beside it. */
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Judges } from "../src/batch/course.js";
import { gradeFile } from "../src/batch/grade-file.js";
import { formatNotebook } from "../src/notebook/format.js";
import {
  COURSE,
  cellOf,
  handIn,
  placeHere,
  released,
  SHORT,
  scratchFolder,
  solved,
} from "./support/course.js";

const folder = scratchFolder(afterAll);
const judges = new Judges({ solutions: join(COURSE, "solutions"), exercises: join(COURSE, "exercises") });
const place = await placeHere(SHORT);
const grade = (file: string) => gradeFile(file, judges, { limits: SHORT, place });
const at = (name: string) => join(folder, name);

/** Makes a file; gives its path. */
type Trap = [name: string, problem: string, make: () => string | Promise<string>];

/** Makes something at a name; gives its path. */
const made = (name: string, make: (path: string) => unknown): string => {
  make(at(name));
  return at(name);
};

const write = (name: string, content: string | Uint8Array): string => {
  writeFileSync(at(name), content);
  return at(name);
};

const deep = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;

const traps: Trap[] = [
  [
    "a link to a private file",
    "unreadable",
    () => made("a.ipynb", (path) => symlinkSync("/etc/passwd", path)),
  ],
  [
    "a link to an endless device",
    "unreadable",
    () => made("b.ipynb", (path) => symlinkSync("/dev/zero", path)),
  ],
  ["a link that leads to itself", "unreadable", () => made("c.ipynb", (path) => symlinkSync(path, path))],
  [
    "a link to another submission",
    "unreadable",
    async () => {
      symlinkSync(handIn(folder, await solved(), "alice.ipynb"), at("d.ipynb"));
      return at("d.ipynb");
    },
  ],
  [
    "a pipe that nobody writes to",
    "unreadable",
    () => made("e.ipynb", (path) => execFileSync("mkfifo", [path])),
  ],
  ["an endless device", "unreadable", () => "/dev/zero"],
  ["a folder", "unreadable", () => made("f.ipynb", (path) => mkdirSync(path))],
  [
    "a sparse file of a terabyte",
    "too-large",
    () => {
      truncateSync(write("g.ipynb", ""), 2 ** 40);
      return at("g.ipynb");
    },
  ],
  [
    "bytes that are no text",
    "not-json",
    () =>
      write(
        "h.ipynb",
        Uint8Array.from({ length: 999 }, (_, i) => i % 256),
      ),
  ],
  ["JSON a million deep", "not-a-notebook", () => write("i.ipynb", deep(1_000_000))],
  ["a number", "not-a-notebook", () => write("j.ipynb", "1e999")],
  ["null", "not-a-notebook", () => write("k.ipynb", "null")],
  [
    "prototypes as content",
    "not-a-notebook",
    () => write("l.ipynb", '{"__proto__":{"cells":[],"metadata":{},"nbformat":4,"nbformat_minor":5}}'),
  ],
  [
    "ten million cells' worth of brackets",
    "not-a-notebook",
    () =>
      write("m.ipynb", `{"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[${"[],".repeat(3e6)}[]]}`),
  ],
  [
    "an assignment that leads out of the course",
    "unknown-assignment",
    async () => {
      const notebook = await released();
      notebook.metadata.mlsys = { assignment: "../../../etc/passwd" };
      return handIn(folder, notebook, "n.ipynb");
    },
  ],
  [
    "an assignment that is a number in a file without a name",
    "unknown-assignment",
    async () => {
      const notebook = await released();
      notebook.metadata.mlsys = { assignment: 7 };
      return handIn(folder, notebook, ".ipynb");
    },
  ],
  [
    "an answer twice",
    "duplicate-grade-id",
    async () => {
      const notebook = await solved();
      notebook.cells.push({ ...structuredClone(cellOf(notebook, "topo-answer")), source: "var other = 1;" });
      return handIn(folder, notebook, "o.ipynb");
    },
  ],
];

describe("traps", () => {
  it.each(traps)(
    "%s: %s",
    async (_, problem, make) => {
      const report = await grade(await make());
      expect(report).toMatchObject({ status: "invalid", problem, score: 0 });
      expect(report.message).not.toMatch(/root:|^$/);
      expect(({} as { cells?: unknown }).cells).toBeUndefined();
    },
    60_000,
  );

  it("control: odd but honest files get full marks", async () => {
    const notebook = await solved();
    Object.assign(notebook.metadata, { constructor: { prototype: 1 }, nested: JSON.parse(deep(2_000)) });
    notebook.cells.push(
      ...Array.from({ length: 500 }, (_, i) => ({
        ...structuredClone(notebook.cells[0]),
        id: `same-${i % 3}`,
      })),
    );
    const file = write(
      "öffentlich 中文 \u202e.ipynb",
      `\uFEFF${JSON.stringify(JSON.parse(formatNotebook(notebook)))}`,
    );
    expect(await grade(file)).toMatchObject({ status: "graded", score: 12, points: 12 });
  }, 120_000);
});
