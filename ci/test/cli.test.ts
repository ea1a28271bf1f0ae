/** The command as people use it: exit codes, messages for every kind of wrong file, reports, Ctrl-C. */
import { type ChildProcess, spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { reportSchema } from "../src/judge/report.js";
import { formatNotebook } from "../src/notebook/format.js";
import { BIN, command } from "./support/command.js";
import { COURSE, cellOf, handIn, released, scratchFolder, solved } from "./support/course.js";

const folder = scratchFolder(afterAll);
cpSync(COURSE, join(folder, "course"), { recursive: true });
const course = join(folder, "course");

const grade = (...args: string[]) => command(course, args);

describe("generate", () => {
  it("writes what is missing or stale, says what is up to date; --check only looks", async () => {
    const path = join(course, "exercises", "mini.ipynb");
    expect(await grade("generate", "--check")).toMatchObject({ code: 0 });
    writeFileSync(path, readFileSync(path, "utf8").replace("Small graphs", "Edited"));
    expect(await grade("generate", "--check")).toMatchObject({
      code: 1,
      err: expect.stringMatching(/mini\.ipynb is stale: run mlsys-grade generate mini/),
    });
    expect(await grade("generate")).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^wrote .*mini\.ipynb/),
    });
    expect(await grade("generate")).toMatchObject({ code: 0, out: expect.stringMatching(/is up to date/) });
    expect(readFileSync(path, "utf8")).toBe(readFileSync(join(COURSE, "exercises", "mini.ipynb"), "utf8"));
  }, 60_000);

  it("refuses to write a release that shows an answer", async () => {
    const leaky = join(folder, "leaky", "solutions");
    mkdirSync(leaky, { recursive: true });
    const source = readFileSync(join(COURSE, "solutions", "mini.ipynb"), "utf8");
    const text = source.replace(
      `"# Small graphs\\n"`,
      `"const total = exps.reduce((sum, x) => sum + x, 0);\\n"`,
    );
    writeFileSync(join(leaky, "mini.ipynb"), text);
    const run = await grade("generate", "--solutions", leaky);
    expect(run).toMatchObject({
      code: 2,
      err: expect.stringMatching(/leak: mini: cell 1: shows the reference answer of "softmax-answer"/),
    });
    expect(existsSync(join(folder, "leaky", "exercises"))).toBe(false);
  }, 60_000);

  it("names an author's mistakes", async () => {
    const bad = join(folder, "bad", "solutions");
    mkdirSync(bad, { recursive: true });
    const source = readFileSync(join(COURSE, "solutions", "mini.ipynb"), "utf8");
    const mistakes: [string, string, RegExp][] = [
      [
        '"grade_id": "softmax-answer"',
        '"grade_id": "topo-answer"',
        /cell 8: grade_id "topo-answer" is already used by cell 4/,
      ],
      ["// END SOLUTION", "// THE END", /"BEGIN SOLUTION" is never closed/],
      ['"points": 4', '"points": "4"', /metadata\.nbgrader\.points/],
      ['"schema_version": 3', '"schema_version": 2', /metadata\.nbgrader\.schema_version/],
      [
        '"task": "topo"',
        '"other": "topo"',
        /cell 4 \(topo-answer\): an answer cell needs metadata\.mlsys\.task/,
      ],
    ];
    for (const [from, to, message] of mistakes) {
      expect(source).toContain(from);
      writeFileSync(join(bad, "mini.ipynb"), source.replaceAll(from, to));
      expect(await grade("generate", "--solutions", bad), message.source).toMatchObject({
        code: 2,
        err: expect.stringMatching(message),
      });
    }
  }, 60_000);
});

describe("wrong usage", () => {
  it.each([
    [["grade", "x.ipynb", "--assignment", "nope"], /there is no assignment "nope"; the course has: mini/],
    [["generate", "nope"], /there is no assignment "nope"/],
    [["grade", "x.ipynb", "--solutions", "/nowhere"], /\/nowhere: there is no such folder/],
    [["grade"], /missing required argument 'path'/],
    [["grade", "x.ipynb", "--timeout", "-1"], /expected a number of seconds above 0/],
    [["frobnicate"], /unknown command/],
  ])("%j", async (args, message) => {
    expect(await grade(...args)).toMatchObject({ code: 2, err: expect.stringMatching(message) });
  });
});

describe("a batch with every kind of wrong file", () => {
  it("reports each, grades the good one, and writes JSON and HTML", async () => {
    const inbox = join(folder, "inbox");
    mkdirSync(inbox);
    const put = (name: string, text: string) => {
      writeFileSync(join(inbox, name), text);
      return join(inbox, name);
    };
    const notebook = await released();
    const python = structuredClone(notebook);
    python.metadata.kernelspec = { name: "python3", language: "python", display_name: "Python 3" };
    const stranger = structuredClone(notebook);
    stranger.metadata.mlsys = { assignment: "other-course" };
    const twice = structuredClone(notebook);
    twice.cells.push({ ...structuredClone(cellOf(twice, "topo-answer")), source: "another" });
    const hollow = structuredClone(notebook);
    hollow.cells = hollow.cells.filter((cell) => cell.type === "markdown");
    const huge = put("huge.ipynb", "x");
    truncateSync(huge, 1024 ** 3);
    const files: [string, RegExp | undefined][] = [
      [handIn(inbox, await solved(), "good;rm -rf $HOME.ipynb"), undefined],
      [join(inbox, "absent.ipynb"), /no such file/],
      [put("empty.ipynb", ""), /0 bytes/],
      [huge, /more than the limit/],
      [put("text.ipynb", "hello"), /not JSON/],
      [put("python.ipynb", formatNotebook(python)), /kernel "python3" \(python\), expected TypeScript/],
      [
        put("stranger.ipynb", formatNotebook(stranger)),
        /there is no assignment "other-course"; the course has: mini/,
      ],
      [put("twice.ipynb", formatNotebook(twice)), /2 different cells carry the grade_id "topo-answer"/],
      [put("hollow.ipynb", formatNotebook(hollow)), /holds none of the answer cells/],
    ];
    const json = join(folder, "out", "results.json");
    const html = join(folder, "feedback");
    const run = await grade(
      "grade",
      "--unsafe",
      ...files.map(([file]) => file),
      "--json",
      json,
      "--html",
      html,
    );
    expect(run.code, run.err).toBe(1);
    const { reports } = JSON.parse(readFileSync(json, "utf8")) as { reports: unknown[] };
    expect(reports).toHaveLength(files.length);
    files.forEach(([file, message], i) => {
      const report = reportSchema.parse(reports[i]);
      expect(report.file).toBe(file);
      if (message)
        expect(report).toMatchObject({
          status: "invalid",
          score: 0,
          message: expect.stringMatching(message),
        });
      else expect(report).toMatchObject({ status: "graded", score: 12 });
    });
    expect(readdirSync(html)).toHaveLength(files.length);
    for (const page of readdirSync(html))
      expect(readFileSync(join(html, page), "utf8")).toMatch(/^<!doctype html>\n<html lang="en">/);
  }, 120_000);
});

describe("Ctrl-C", () => {
  it("keeps finished results and leaves no kernel running", async () => {
    const work = join(course, "solutions");
    const first = handIn(folder, await solved(), "first.ipynb");
    const stuck = handIn(folder, await solved({ "topo-answer": "for (;;) {}" }), "stuck.ipynb");
    const json = join(folder, "interrupted.json");
    // The first file is invalid and done at once; the second hangs for as long as it may.
    const child = spawn(
      process.execPath,
      [
        BIN,
        "grade",
        "--unsafe", // where there is no isolation, this is not about it
        join(folder, "nothing.ipynb"),
        stuck,
        first,
        "--assignment",
        "mini",
        "--json",
        json,
        "--cell-timeout",
        "100",
      ],
      { cwd: course },
    );
    const kernels = await waitFor(() => {
      const found = kernelsIn(work);
      return found.length > 0 ? found : undefined;
    });
    expect(kernels.length).toBeGreaterThan(0);
    child.kill("SIGINT");
    expect(await ended(child)).toBe(130);
    expect(await waitFor(() => (kernelsIn(work).length === 0 ? true : undefined))).toBe(true);
    const { reports } = JSON.parse(readFileSync(json, "utf8")) as {
      reports: { file: string; status: string }[];
    };
    expect(reports).toEqual([expect.objectContaining({ status: "invalid", problem: "missing" })]);
  }, 90_000);
});

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once("exit", resolve));
}

/** Processes whose working folder is `cwd`: kernels of this course. */
function kernelsIn(cwd: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/cwd`) === cwd;
    } catch {
      return false;
    }
  });
}

async function waitFor<T>(look: () => T | undefined): Promise<T> {
  for (let tries = 0; tries < 600; tries++) {
    const found = look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("waited for 30 s in vain");
}
