/**
 * Hostile submissions: each gets what its honest part deserves and no more, and the grader lives on. The sandbox
 * is another matter; what is shown here is that nothing a submission does forges a verdict.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Judges } from "../src/batch/course.js";
import { gradeFile } from "../src/batch/grade-file.js";
import type { Report } from "../src/judge/report.js";
import type { Notebook } from "../src/notebook/format.js";
import { reportAsHtml } from "../src/report/html.js";
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
const SOLVED = { topo: 4, softmax: 3, tape: 3, functions: 2 };

async function grade(notebook: Notebook): Promise<Report> {
  const report = await gradeFile(handIn(folder, notebook), judges, { limits: SHORT, place });
  expect(report.status, report.message).toBe("graded");
  return report;
}

function scores(report: Report): Record<string, number> {
  return Object.fromEntries(report.tasks.map((task) => [task.name, task.score]));
}

function statuses(report: Report, task: string): string[] {
  return report.tasks.find(({ name }) => name === task)!.tests.map((test) => test.status);
}

type Forgery = (name: string) => string;
/** Wrong answers that try to be taken for right ones. */
const forgeries: Record<string, Forgery> = {
  "patches node:assert": (name) => `
    const assert = require("node:assert");
    for (const key of Object.keys(assert)) if (typeof assert[key] === "function") assert[key] = () => {};
    function ${name}() { return []; }`,
  "prints a result": (name) => `
    function ${name}() { console.log('{"score":100}'); console.log("✓ passed 4/4"); return []; }`,
  "returns a value that equals everything": (name) => `
    function ${name}() {
      return { valueOf: () => true, toString: () => "a,b,c", toJSON: () => ["a", "b", "c"], equals: () => true, length: 3, [Symbol.toPrimitive]: () => 1 };
    }`,
  "returns a proxy that shows a new face each time": (name) => `
    let reads = 0;
    function ${name}() {
      return new Proxy([], { get: (_, key) => key === "length" ? 3 : String.fromCharCode(97 + (reads++ * 7) % 26) });
    }`,
  "returns a promise that lies about itself": (name) => `
    function ${name}() {
      return { then(resolve) { resolve({ then: (r) => r(["c", "b", "a"]) }); } };
    }`,
  "patches built-ins that a comparison might use": (name) => `
    Object.is = () => true; Array.prototype.every = () => true; Set.prototype.has = () => true; Number.isFinite = () => true;
    Math.abs = () => 0;
    function ${name}() { return ["z"]; }`,
  "overwrites the kit's names": (name) => `
    globalThis.__kit = {}; globalThis.__cells = new Map(); globalThis.expectEqual = () => {};
    function ${name}() { return []; }`,
  "throws what the tests throw": (name) => `
    function ${name}() { throw Object.assign(new Error("passed"), { name: "ExpectationError", testStatus: "passed", isStub: false }); }`,
  "publishes frames of its own": (name) => `
    function ${name}() {
      const publish = globalThis[Symbol.for("Jupyter.publish")];
      publish({ "application/vnd.mlsys.frames": JSON.stringify([{ type: "return", id: 999999, value: ["a"] }]), "text/plain": "" });
      return [];
    }`,
};

/** Three at a time, one for each of three tasks. */
const all = Object.entries(forgeries);
const trials = Array.from({ length: Math.ceil(all.length / 3) }, (_, i) => all.slice(3 * i, 3 * i + 3));

describe("forged verdicts get nothing", () => {
  for (const trial of trials) {
    it(trial.map(([name]) => name).join("; "), async () => {
      const [first, second, third] = trial.map(
        ([, forge]) =>
          (name: string) =>
            `// @ts-nocheck\n${forge(name)}`,
      );
      const report = await grade(
        await solved({
          "topo-answer": first("topologicalOrder"),
          "softmax-answer": second("softmax"),
          "functions-answer": third("derivative"),
        }),
      );
      const passed = report.tasks
        .filter(({ name }) => name !== "tape")
        .flatMap(({ tests }) => tests.filter(({ status }) => status === "passed"));
      expect(passed).toEqual([]);
    }, 120_000);
  }

  it("control: the honest answer in the same shape gets full marks", async () => {
    expect(scores(await grade(await solved()))).toEqual(SOLVED);
  }, 90_000);
});

describe("damage stays where it is done", () => {
  it("an endless loop costs the tests that meet it; a fresh process grades the rest", async () => {
    const report = await grade(
      await solved({
        "topo-answer":
          "function topologicalOrder(edges: Edge[]): string[] { if (edges.length > 3) for (;;) {} throw new Error('cycle'); }",
      }),
    );
    expect(statuses(report, "topo")).toEqual(["error", "timeout", "passed"]);
    expect(scores(report)).toMatchObject({ softmax: 3, functions: 2 });
  }, 120_000);

  it("an answer that never settles is a timeout", async () => {
    const report = await grade(
      await solved({
        "softmax-answer": "function softmax(rows: number[][]): any { return new Promise(() => {}); }",
      }),
    );
    expect(statuses(report, "softmax")).toEqual(["timeout", "timeout", "timeout"]);
    expect(scores(report)).toMatchObject({ topo: 4, tape: 3, functions: 2 });
  }, 120_000);

  it("process.exit in a function ends its own test only", async () => {
    const report = await grade(
      await solved({
        "softmax-answer": "function softmax(rows: number[][]): number[][] { process.exit(0); }",
      }),
    );
    expect(scores(report)).toEqual({ ...SOLVED, softmax: 0 });
    for (const status of statuses(report, "softmax")) expect(["exit", "timeout"]).toContain(status);
  }, 120_000);

  it("process.exit and an endless loop at the top of a cell cost that cell's task only", async () => {
    const report = await grade(
      await solved({ "topo-answer": "process.exit(0);", "softmax-answer": "while (true) {}" }),
    );
    // The tape's gradient uses topologicalOrder, so only its first test can pass.
    expect(scores(report)).toEqual({ topo: 0, softmax: 0, tape: 1, functions: 2 });
    expect(report.tasks[1].cells[0].status).toBe("timeout");
  }, 120_000);

  it("pollution of Object.prototype does not reach the judge", async () => {
    const report = await grade(
      await solved({
        "topo-answer": `// @ts-nocheck
Object.prototype.score = 100; Object.prototype.status = "passed";
function topologicalOrder(edges) { return JSON.parse('{"__proto__": {"score": 100}}'); }`,
      }),
    );
    expect(scores(report).topo).toBe(0);
    expect(({} as { score?: number }).score).toBeUndefined();
    expect(statuses(report, "topo")[0]).toBe("error");
  }, 90_000);

  it("endless and cyclic values are refused with a message", async () => {
    const report = await grade(
      await solved({
        "topo-answer": `function topologicalOrder(edges: Edge[]): any {
  const loop: any = { name: "loop" }; loop.self = loop; return edges.length === 2 ? loop : new Array(3e6).fill(0);
}`,
      }),
    );
    expect(scores(report).topo).toBe(0);
    expect(report.tasks[0].tests[0].message).toMatch(/contains itself/);
    expect(report.tasks[0].tests[1].message).toMatch(/too long/);
  }, 90_000);

  it("an answer that changes its arguments does not change the test's", async () => {
    const report = await grade(
      await solved({
        "topo-answer": "function topologicalOrder(edges: Edge[]): string[] { edges.length = 0; return []; }",
      }),
    );
    expect(statuses(report, "topo")).toEqual(["failed", "failed", "failed"]);
  }, 90_000);
});

describe("tampered notebooks are graded by the manifest", () => {
  it("points, flags, tests and kernels of the submission are ignored, and the changes noted", async () => {
    const notebook = await released();
    const test = cellOf(notebook, "topo-tests");
    test.source = "999";
    Object.assign(test.metadata.nbgrader as object, {
      points: 1000,
      grade: false,
      locked: false,
      schema_version: 99,
    });
    cellOf(notebook, "setup").source = "const check = () => ({ test() {}, run: () => 100 });";
    notebook.cells = notebook.cells.filter((cell) => cell !== cellOf(notebook, "softmax-tests"));
    const tests = cellOf(notebook, "tape-tests");
    notebook.cells.push(structuredClone(tests));
    const report = await grade(notebook);
    expect(report).toMatchObject({ score: 0, points: 12 });
    expect(report.notes.join("\n")).toMatch(
      /"setup" was changed[\s\S]*"topo-tests" was changed[\s\S]*"softmax-tests" is missing/,
    );
  }, 90_000);

  it("control: a full solution with deleted, edited, duplicated and moved locked cells keeps its marks", async () => {
    const notebook = await solved();
    cellOf(notebook, "topo-tests").source = "throw new Error('edited')";
    notebook.cells = notebook.cells.filter((cell) => cell !== cellOf(notebook, "softmax-tests"));
    notebook.cells.push(structuredClone(cellOf(notebook, "setup")));
    notebook.cells.push(structuredClone(cellOf(notebook, "tape-answer")));
    notebook.cells.reverse();
    expect(scores(await grade(notebook))).toEqual(SOLVED);
  }, 90_000);

  it("a missing answer cell costs its task", async () => {
    const notebook = await solved();
    notebook.cells = notebook.cells.filter((cell) => cell !== cellOf(notebook, "softmax-answer"));
    const report = await grade(notebook);
    expect(scores(report)).toEqual({ ...SOLVED, softmax: 0 });
    expect(report.notes).toEqual(['the answer cell "softmax-answer" is missing']);
  }, 90_000);

  it("text of the learner's is text in the feedback", async () => {
    const report = await grade(
      await solved({
        "topo-answer": `function topologicalOrder(edges: Edge[]): string[] { throw new Error("<script>alert(1)</script><img src=x onerror=y>\\u001b[2J"); }`,
      }),
    );
    const html = reportAsHtml(report);
    expect(html).toContain("&lt;script>alert(1)");
    expect(html).not.toMatch(/<script|<img/);
    // Hidden tests: name and hint, not what they said.
    expect(html.match(/alert\(1\)/g)).toHaveLength(1);
    expect(existsSync(join(folder, "results.json"))).toBe(false);
  }, 90_000);
});
