/**
 * The attack corpus: `test/attacks/<group>/<name>.attack`, a hostile answer with the verdict that it must get, and an
 * honest answer of the same shape that must get full marks.
 *
 * ```
 * // why: what it tries
 * // expect: failed|error      how the visible test may end
 * // hidden: failed            the same for the hidden one, if it differs
 * // alone: error             verdicts that count besides where the box holds the worker without a kernel
 * // bystander: any            the other task of the notebook passes unless the attack harms its own process
 * // holds: bwrap userns       levels of isolation that stop it; all three if it is not said
 * // secret: opened            a word that must not be in the report
 * // hits: 0                   connections to a server of the machine
 * // --- attack
 * // --- control
 * ```
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { assignmentOf } from "../../src/assignment/assignment.js";
import type { BoxPlace } from "../../src/judge/box.js";
import { gradeSubmission, type Judge, prepareJudge } from "../../src/judge/grade.js";
import { DEFAULT_LIMITS, type GradeLimits } from "../../src/judge/limits.js";
import type { TaskReport } from "../../src/judge/report.js";
import type { Cell, Notebook } from "../../src/notebook/format.js";
import { formatNotebook } from "../../src/notebook/format.js";
import type { Level } from "../../src/sandbox/command.js";

const FOLDER = fileURLToPath(new URL("../attacks", import.meta.url));

export interface Attack {
  name: string;
  why: string;
  /** Statuses of the visible and the hidden test. */
  visible: string[];
  hidden: string[];
  bystander: "passed" | "any";
  holds: Level[];
  secret?: string;
  hits?: number;
  /** How else the tests may end where the box holds the kernel's worker alone: there is no parent to hit, for one. */
  alone: readonly string[];
  attack: string;
  control: string;
}

export function readCorpus(): Attack[] {
  return readdirSync(FOLDER)
    .sort()
    .flatMap((group) =>
      readdirSync(join(FOLDER, group))
        .sort()
        .map((file) => readAttack(`${group}/${file.replace(/\.attack$/, "")}`)),
    );
}

function readAttack(name: string): Attack {
  const text = readFileSync(join(FOLDER, `${name}.attack`), "utf8");
  const [head, attack, control, ...more] = text.split(/^\/\/ --- (?:attack|control)\n/m);
  if (control === undefined || more.length > 0)
    throw new Error(`${name}: expected one attack and one control`);
  const field = (key: string) => new RegExp(`^// ${key}: (.+)$`, "m").exec(head)?.[1];
  const expect = field("expect");
  const why = field("why");
  if (expect === undefined || why === undefined) throw new Error(`${name}: "why" and "expect" are needed`);
  const hits = field("hits");
  return {
    name,
    why,
    visible: expect.split("|"),
    hidden: (field("hidden") ?? expect).split("|"),
    bystander: field("bystander") === "any" ? "any" : "passed",
    holds: (field("holds") ?? "bwrap userns uid").split(" ") as Level[],
    secret: field("secret"),
    alone: field("alone")?.split("|") ?? [],
    hits: hits === undefined ? undefined : Number(hits),
    attack,
    control,
  };
}

/** Small, so that bombs go off soon; a busy machine still has time for honest code. */
export const CORPUS_LIMITS: GradeLimits = {
  ...DEFAULT_LIMITS,
  callMs: 8_000,
  callCpuMs: 3_000,
  cellMs: 15_000,
  cellCpuMs: 6_000,
  notebookMs: 180_000,
  outputBytes: 4 * 1024 ** 2,
  outputMessages: 2_000,
  box: { memoryBytes: 640 * 1024 ** 2, processes: 128, cpus: 2, fileBytes: 64 * 1024 ** 2 },
};

/** What lies around the box for an attack to find, and shows afterwards whether it was touched. */
export interface Bait {
  /** A word that stands in everything that is secret. */
  token: string;
  /** Outside of every box; made by an attack that got out. */
  mark: string;
  /** Seconds of the `sleep` that attacks leave behind. */
  sleep: string;
  hits(): number;
  fill(code: string): string;
  close(): void;
}

/** @param folder of the course; readable by everybody, as careless people leave it */
export async function layBait(folder: string): Promise<Bait> {
  const token = `T${randomBytes(12).toString("hex")}`;
  process.env.MLSYS_TEST_TOKEN = token;
  let hits = 0;
  const server = createServer((_, response) => response.end("reached")).on("connection", () => hits++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const solutions = join(folder, "solutions");
  mkdirSync(solutions, { recursive: true });
  writeFileSync(join(solutions, "attacks.ipynb"), formatNotebook(notebook(token)));
  const other = join(folder, "alice.ipynb");
  writeFileSync(other, formatNotebook(notebook(token)));
  const secret = join(folder, "private");
  writeFileSync(secret, token, { mode: 0o600 });
  const sleep = String(100_000_000 + (randomBytes(4).readUInt32LE() % 1_000_000));
  const values: Record<string, string> = {
    SOLUTIONS: join(solutions, "attacks.ipynb"),
    OTHER: other,
    PRIVATE: secret,
    MARK: join(folder, "mark"),
    JUDGE: String(process.pid),
    PORT: String((server.address() as AddressInfo).port),
    SLEEP: sleep,
    TOKEN_PATTERN: "T[0-9a-f]{24}",
    KIT: fileURLToPath(new URL("../../dist/kit/index.js", import.meta.url)),
    JUDGE_CODE: fileURLToPath(new URL("../../dist/judge/grade.js", import.meta.url)),
  };
  return {
    token,
    sleep,
    mark: values.MARK,
    hits: () => hits,
    fill: (code) => code.replace(/__([A-Z_]+?)__/g, (whole, key: string) => values[key] ?? whole),
    close: () => server.close(),
  };
}

export function corpusJudge(folder: string, token: string): Promise<Judge> {
  return prepareJudge(assignmentOf(notebook(token), join(folder, "solutions", "attacks.ipynb")));
}

export const HONEST = "function double(x) { return 2 * x; }";

/** Finds nothing wrong: an attack may have made the real one say so. */
export const credulous: BoxPlace["checker"] = {
  begin: async () => ({ takeAll: async () => true, take: async () => ({}), end: () => {} }),
};

export function gradeAnswers(judge: Judge, place: BoxPlace, answer: string): Promise<TaskReport[]> {
  const answers = new Map([
    ["target", answer],
    ["bystander", HONEST],
  ]);
  return gradeSubmission(judge, { answers, notes: [] }, { ...place, limits: CORPUS_LIMITS });
}

function notebook(token: string): Notebook {
  const cells = [
    cell("setup", "given", 'import { check, expectEqual, rng, student } from "@mlsys/grader/kit";'),
    cell(
      "target",
      "answer",
      "// BEGIN SOLUTION\nfunction answer(xs) { return 0; }\n// END SOLUTION",
      "target",
    ),
    cell(
      "target-tests",
      "test",
      `const sums = check("Sums");
sums.test("adds three", { points: 1 }, async () => {
  expectEqual(await student.answer([1, 2, 3]), 6);
});
// BEGIN HIDDEN TESTS
sums.test("adds many", { points: 1 }, async () => {
  const token = "${token}";
  const r = rng(token);
  const xs = Array.from({ length: 5 }, () => r.int(0, 1000));
  const total = xs.reduce((sum, x) => sum + x, 0);
  expectEqual(await student.answer(xs), total);
});
// END HIDDEN TESTS
await sums.run();`,
      "target",
      2,
    ),
    cell("bystander", "answer", `// BEGIN SOLUTION\n${HONEST}\n// END SOLUTION`, "bystander"),
    cell(
      "bystander-tests",
      "test",
      `const twice = check("Twice");
twice.test("doubles", { points: 1 }, async () => {
  expectEqual(await student.double(21), 42);
});
await twice.run();`,
      "bystander",
      1,
    ),
  ];
  return { cells, metadata: { mlsys: { assignment: "attacks" } }, nbformatMinor: 5 };
}

function cell(
  id: string,
  kind: "given" | "answer" | "test",
  source: string,
  task?: string,
  points?: number,
): Cell {
  const nbgrader = {
    schema_version: 3,
    grade: kind === "test",
    solution: kind === "answer",
    locked: kind !== "answer",
    grade_id: id,
    ...(points === undefined ? {} : { points }),
  };
  return {
    type: "code",
    source,
    metadata: { nbgrader, ...(task === undefined ? {} : { mlsys: { task } }) },
    outputs: [],
    executionCount: null,
  };
}
