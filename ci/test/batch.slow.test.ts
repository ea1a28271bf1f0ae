/** The real grader over a batch, killed at random moments: nothing is lost, nothing is graded twice, nothing differs. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { rng } from "../src/kit/rng.js";
import { COURSE, handIn, released, scratchFolder, solved } from "./support/course.js";

const BIN = fileURLToPath(new URL("../bin/mlsys-grade.mjs", import.meta.url));
const folder = scratchFolder(afterAll);
const course = join(folder, "course");
cpSync(COURSE, course, { recursive: true });
const inbox = join(folder, "submitted");
const log = join(folder, "log.jsonl");
const env = { ...process.env, NO_COLOR: "1" };
const SUBMISSIONS = 8;

const command = (...more: string[]) => [BIN, "grade", inbox, "-j", "2", ...more];
const run = (...args: string[]) =>
  new Promise<{ code: number; err: string }>((resolve) => {
    execFile(process.execPath, args, { cwd: course, env }, (error, _, err) =>
      resolve({ code: error ? Number(error.code) : 0, err }),
    );
  });
const results = (name: string) =>
  readFileSync(join(folder, name), "utf8").replace(/"ms": [\d.]+/g, '"ms": 0');
const lines = (path: string) => {
  try {
    return readFileSync(path, "utf8").split("\n").slice(0, -1);
  } catch {
    return [];
  }
};

describe("a batch that is killed again and again", () => {
  it("ends with the same bytes as one that was not, each submission graded once", async () => {
    for (let i = 0; i < SUBMISSIONS; i++) {
      const tree = join(inbox, `student-${i}`, "mini");
      mkdirSync(tree, { recursive: true });
      if (i === 3) writeFileSync(join(tree, "mini.ipynb"), "{");
      else
        handIn(
          tree,
          i % 3 === 0
            ? await solved()
            : i % 3 === 1
              ? await released()
              : await solved({ "softmax-answer": "process.exit(0)" }),
        );
    }
    const whole = await run(...command("--json", join(folder, "whole.json")));
    expect(whole.code, whole.err).toBe(1); // one can't be read
    const r = rng("kill");
    let kills = 0;
    for (; kills < 12 && lines(log).length < SUBMISSIONS; kills++) {
      const before = lines(log);
      const child = spawn(process.execPath, command("--log", log), { cwd: course, env, stdio: "ignore" });
      // At any moment, but for some only after another result, so that the test comes to its end.
      const grown = kills % 2 === 0 ? before.length : before.length + 1;
      await until(child, () => lines(log).length >= Math.min(grown, SUBMISSIONS));
      await new Promise((resolve) => setTimeout(resolve, r.int(0, 2500)));
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null)
        await new Promise((resolve) => child.once("exit", resolve));
      // What was written stays written.
      expect(lines(log).slice(0, before.length)).toEqual(before);
    }
    expect(kills).toBeGreaterThan(1);
    const last = await run(...command("--log", log, "--json", join(folder, "killed.json")));
    expect(last.code, last.err).toBe(1);
    expect(results("killed.json")).toBe(results("whole.json"));
    const names = lines(log).map((line) => (JSON.parse(line) as { name: string }).name);
    expect(new Set(names).size).toBe(SUBMISSIONS);
    expect(names).toHaveLength(SUBMISSIONS);
    // Once more: nothing is left to grade, and the log does not grow.
    const again = await run(...command("--log", log, "--json", join(folder, "again.json")));
    expect(again.code).toBe(1);
    expect(results("again.json")).toBe(results("whole.json"));
    expect(lines(log)).toHaveLength(SUBMISSIONS);
  }, 600_000);

  it("keeps decisions over a regrade of the task, and exports without grading", async () => {
    const who = ["--student", "student-1", "--assignment", "mini"];
    expect(
      (await run(BIN, "override", log, ...who, "--task", "topo", "--score", "3", "--comment", "A good try."))
        .code,
    ).toBe(0);
    const wrong = await run(BIN, "override", log, ...who, "--task", "nope", "--score", "3");
    expect(wrong).toMatchObject({
      code: 2,
      err: expect.stringMatching(/there is no task "nope"; mini has topo, softmax, tape, functions/),
    });
    expect(
      (await run(BIN, "override", log, "--student", "nobody", "--assignment", "mini", "--comment", "x")).err,
    ).toMatch(/holds no submission of nobody/);
    const regraded = await run(
      ...command("--log", log, "--regrade", "topo", "--json", join(folder, "regraded.json")),
    );
    expect(regraded.code, regraded.err).toBe(1);
    const { reports } = JSON.parse(results("regraded.json"));
    const mine = reports.find(({ student }: { student: string }) => student === "student-1");
    expect(mine).toMatchObject({ score: 0, final: 3 });
    expect(mine.tasks[0]).toMatchObject({ score: 0, override: { score: 3 }, comments: ["A good try."] });
    const graded = lines(log).filter((line) => line.includes('"type":"graded"'));
    expect(graded).toHaveLength(SUBMISSIONS + SUBMISSIONS - 1); // the one that can't be read is not written again
    const exported = await run(
      BIN,
      "export",
      log,
      "--json",
      join(folder, "exported.json"),
      "--csv",
      join(folder, "grades.csv"),
    );
    expect(exported.code, exported.err).toBe(1);
    expect(results("exported.json")).toBe(results("regraded.json"));
    expect(results("grades.csv").split("\r\n")).toHaveLength(SUBMISSIONS + 2);
  }, 300_000);
});

async function until(child: ChildProcess, done: () => boolean): Promise<void> {
  while (!done() && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 50));
}
