/** The scripts for GitHub, GitLab, Gradescope and PrairieLearn, run as those do, with a submission that attacks them. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SaxesParser } from "saxes";
import { afterAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { COURSE, handIn, scratchFolder, solved } from "./support/course.js";

const CI = fileURLToPath(new URL("..", import.meta.url));
const GRADER = `node ${join(CI, "bin/mlsys-grade.mjs")}`;
const folder = scratchFolder(afterAll);
const place = (name: string) => mkdtempSync(join(folder, `${name}-`));

/** The tape needs the order as well. */
const ATTACK_SCORE = 6;
/** Its errors are commands to GitHub's runner. */
const attack = () =>
  solved({
    "topo-answer":
      'function topologicalOrder(edges: Edge[]): string[] { throw new Error("\\n::error::forged\\n##[error]forged"); }',
  });

function bash(script: string, cwd: string, env: Record<string, string>) {
  return spawnSync("bash", ["-e", "-c", script], {
    cwd,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1", ...env },
  });
}

describe("GitHub Actions", () => {
  const action = parse(readFileSync(join(CI, "action.yml"), "utf8"));

  it("is a composite action whose scripts hold no inputs as text", () => {
    expect(action.runs.using).toBe("composite");
    for (const step of action.runs.steps) {
      if (step.run === undefined) continue;
      expect(step.shell).toBe("bash");
      expect(step.run).not.toContain("${{");
      expect(existsSync(step.run.replace("$GITHUB_ACTION_PATH", CI))).toBe(true);
    }
    const given = Object.values(action.runs.steps.at(-1).env).join(" ");
    for (const name of Object.keys(action.inputs)) expect(given).toContain(`inputs.${name} `);
  });

  it("grades, annotates, sums up, and the submission gives no command", async () => {
    const work = place("github");
    mkdirSync(join(work, "in box"));
    handIn(join(work, "in box"), await attack());
    const env: Record<string, string> = {
      GITHUB_ACTIONS: "true",
      GITHUB_ACTION_PATH: CI,
      GITHUB_OUTPUT: join(work, "output"),
      GITHUB_STEP_SUMMARY: join(work, "summary.md"),
      RUNNER_TEMP: work,
      GRADE_PATHS: "in box\n\n",
      GRADE_SOLUTIONS: join(COURSE, "solutions"),
      GRADE_ASSIGNMENT: "",
      GRADE_THRESHOLD: "50",
      GRADE_AUDIENCE: "learner",
      GRADE_JOBS: "1",
    };
    const run = bash(action.runs.steps.at(-1).run, work, env);
    expect(run.status, run.stderr).toBe(0);
    const [, token] = /^::stop-commands::(\S+)$/m.exec(run.stdout) ?? [];
    const free = run.stdout.slice(run.stdout.indexOf(`::${token}::`) + token.length + 5);
    expect(run.stdout.slice(0, run.stdout.indexOf(`::${token}::`))).toContain("::error::forged");
    const commands = free.split("\n").filter((line) => line !== "");
    expect(commands.map((line) => line.slice(0, 9))).toEqual([
      "::warning",
      "::warning",
      "::notice ",
      "::notice ",
    ]);
    expect(commands.at(-1)).toBe('::notice title=Autograding report::{"totalPoints":6,"maxPoints":12}');
    expect(readFileSync(env.GITHUB_STEP_SUMMARY, "utf8")).toMatch(/6 of 12 points/);
    const outputs = Object.fromEntries(
      readFileSync(env.GITHUB_OUTPUT, "utf8")
        .trim()
        .split("\n")
        .map((line) => line.split("=")),
    );
    expect(JSON.parse(readFileSync(outputs.results, "utf8")).reports).toHaveLength(1);
    expect(readdirSync(outputs.feedback)).toHaveLength(1);
    expect(bash(action.runs.steps.at(-1).run, work, { ...env, GRADE_THRESHOLD: "70" }).status).toBe(1);
  }, 120_000);
});

describe("GitLab", () => {
  it("runs its job's script and leaves the artifacts that it names", async () => {
    const job = parse(readFileSync(join(CI, "platforms/gitlab/mlsys-grade.gitlab-ci.yml"), "utf8"))[
      ".mlsys-grade"
    ];
    const work = place("gitlab");
    mkdirSync(join(work, "exercises"));
    handIn(join(work, "exercises"), await attack());
    const env = {
      ...job.variables,
      GITLAB_CI: "true",
      MLSYS_GRADE: GRADER,
      GRADE_PATHS: "exercises",
      GRADE_SOLUTIONS: join(COURSE, "solutions"),
    };
    const run = bash(job.script.join("\n"), work, env);
    expect(run.status, run.stderr).toBe(0);
    const { paths, reports } = job.artifacts;
    // Runners have differed in what they expand there.
    expect([...paths, reports.junit].join("")).not.toContain("$");
    new SaxesParser().write(readFileSync(join(work, reports.junit), "utf8")).close();
    for (const path of paths) expect(readdirSync(join(work, path))).not.toEqual([]);
    // Nothing for instructors is among them.
    expect(existsSync(join(work, "grading/results.json"))).toBe(false);
  }, 120_000);
});

describe("Gradescope", () => {
  const root = place("gradescope");

  it("makes a zip that is the same each time, with executable scripts", () => {
    const packages = place("packages");
    const make = (name: string) => {
      const target = join(root, name);
      execFileSync(
        "node",
        [join(CI, "bin/mlsys-grade.mjs"), "package", "mini", "-o", target, "--packages", packages],
        {
          cwd: COURSE,
        },
      );
      return readFileSync(target);
    };
    expect(make("a.zip").equals(make("b.zip"))).toBe(true);
    mkdirSync(join(root, "source"));
    execFileSync("python3", ["-m", "zipfile", "-e", join(root, "a.zip"), join(root, "source")]);
    expect(readFileSync(join(root, "source/run_autograder"), "utf8")).not.toContain("@SLUG@");
    const modes = execFileSync("python3", [
      "-c",
      "import sys, zipfile; print([oct(i.external_attr >> 16) for i in zipfile.ZipFile(sys.argv[1]).infolist()][:2])",
      join(root, "a.zip"),
    ]).toString();
    expect(modes.trim()).toBe("['0o100755', '0o100755']");
    // Instead of the installation, the packages of this checkout.
    symlinkSync(join(CI, "../node_modules"), join(root, "source/course/node_modules"));
  });

  const autograder = () => bash(join("bash source/run_autograder"), root, { AUTOGRADER_ROOT: root });
  const results = () => JSON.parse(readFileSync(join(root, "results/results.json"), "utf8"));

  it("always writes results: for a graded notebook, for none, for several, and when the grader fails", async () => {
    const submission = join(root, "submission");
    mkdirSync(submission);
    expect(autograder().status).toBe(0);
    expect(results()).toMatchObject({ score: 0, output: expect.stringMatching(/NOT GRADED.*no notebook/) });
    handIn(submission, await attack(), "it's mine.ipynb");
    expect(autograder().status).toBe(0);
    expect([results().score, results().tests.length]).toEqual([ATTACK_SCORE, 10]);
    writeFileSync(join(submission, "other.ipynb"), "");
    expect(autograder().status).toBe(0);
    expect(results()).toMatchObject({ score: 0, output: expect.stringMatching(/2 notebooks/) });
    handIn(submission, await solved(), "mini.ipynb");
    expect(autograder().status).toBe(0);
    expect(results()).toMatchObject({ score: 12 });
    writeFileSync(join(root, "source/course/solutions/mini.ipynb"), "{");
    expect(autograder().status).toBe(0);
    expect(results()).toMatchObject({ score: 0, extra_data: { status: "grader" } });
  }, 240_000);
});

describe("PrairieLearn", () => {
  it("writes results for a graded notebook, and lets an attempt without one not count", async () => {
    const root = place("prairielearn");
    cpSync(join(COURSE, "solutions"), join(root, "serverFilesCourse/solutions"), { recursive: true });
    mkdirSync(join(root, "student"));
    symlinkSync(join(CI, "../node_modules"), join(root, "node_modules"));
    const env = { GRADE_ROOT: root, MLSYS_GRADE: GRADER, GRADE_ASSIGNMENT: "mini" };
    const script = join(CI, "platforms/prairielearn/entrypoint.sh");
    const results = () => JSON.parse(readFileSync(join(root, "results/results.json"), "utf8"));
    expect(bash(script, root, env).status).toBe(0);
    expect(results()).toMatchObject({ gradable: false });
    handIn(join(root, "student"), await solved());
    const run = bash(script, root, env);
    expect(run.status, run.stderr).toBe(0);
    expect(results()).toMatchObject({ gradable: true, score: 1, tests: { length: 10 } });
  }, 120_000);
});
