/**
 * The proof of an assignment: the solution gets everything and the untouched release nothing; each variant gets
 * what it promises; and each task can be solved, and is graded the same, with only the tasks up to it solved.
 */
import { type Assignment, folderOf, type Task } from "../assignment/assignment.js";
import { generateRelease } from "../assignment/generate.js";
import { isSeeded } from "../assignment/seeded.js";
import { REQUIRED, readVariants, type Variant } from "../assignment/variants.js";
import { type GradeOptions, gradeSubmission, type Judge, prepareJudge } from "../judge/grade.js";
import type { GradeLimits } from "../judge/limits.js";
import type { TaskReport } from "../judge/report.js";
import { kernelFactory } from "../session/open.js";
import type { Place } from "./grade-file.js";

export interface Proof {
  /** What was graded: `solution`, `untouched`, `topo: tasks 1 to 2`, `topo/name`. */
  name: string;
  ok: boolean;
  expected: string;
  got: string;
  /** Tests that did not pass, with why: for the author. */
  details: string[];
}

export interface ValidateOptions {
  limits?: GradeLimits;
  /** Where the answers run; they are the author's own, so by default beside the grader. */
  place?: Pick<Place, "open" | "openBare" | "checker">;
  /** Called before each run, for a progress bar. */
  onStart?: (name: string, done: number, total: number) => void;
  signal?: AbortSignal;
}

interface Run {
  name: string;
  answers: Map<string, string>;
  /** The tasks that are judged; all, unless given. */
  tasks?: readonly Task[];
  judge: (reports: TaskReport[]) => Proof;
}

/** @throws AuthoringError when the assignment can't be run at all */
export async function validate(assignment: Assignment, options: ValidateOptions = {}): Promise<Proof[]> {
  const judge = await prepareJudge(assignment);
  const variants = await readVariants(assignment);
  const proofs = [releaseProof(assignment), ...enoughVariants(assignment, variants), ...hiddenProof(judge)];
  const runs = plan(assignment, variants);
  const times = new TaskTimes(assignment);
  const first = new Map<string, TaskReport[]>();
  for (const [index, run] of runs.entries()) {
    options.signal?.throwIfAborted();
    options.onStart?.(run.name, index, runs.length);
    const { limits } = options;
    const onTest = run.name === SOLUTION ? times.onTest : undefined;
    const submission = { answers: run.answers, notes: [] };
    const tasks = run.tasks?.map(({ name }) => name);
    const reports = await gradeSubmission(judge, submission, {
      ...kernels(judge, options),
      limits,
      onTest,
      tasks,
    });
    proofs.push(run.judge(reports));
    if (REPEATED.includes(run.name)) first.set(run.name, reports);
  }
  if (isSeeded(assignment)) proofs.push(...(await seeded(judge, runs, options)));
  proofs.push(await deterministic(judge, runs, first, options));
  return [...proofs, times.proof()];
}

function kernels(judge: Judge, { place = { open: kernelFactory }, limits }: ValidateOptions) {
  const folder = folderOf(judge.assignment);
  return {
    open: place.open(folder),
    openBare: place.openBare?.(folder),
    checker: place.checker?.(folder),
    limits,
  };
}

const SOLUTION = "solution";
const UNTOUCHED = "untouched";
const REPEATED = [SOLUTION, UNTOUCHED];
/** Random inputs that differ from run to run are found out soon. */
const REPEATS = 3;

const STUDENTS = ["ada", "grace", "edsger"];

/** The reference answer must be right for everybody's values, and nobody's release may show it. */
async function seeded(judge: Judge, runs: readonly Run[], options: ValidateOptions): Promise<Proof[]> {
  const { assignment } = judge;
  const answers = (runs.find(({ name }) => name === SOLUTION) as Run).answers;
  const proofs: Proof[] = [];
  for (const student of STUDENTS) {
    options.signal?.throwIfAborted();
    const name = `${SOLUTION} with the values of "${student}"`;
    options.onStart?.(name, runs.length - 1, runs.length);
    const submission = { answers, notes: [] };
    const reports = await gradeSubmission(judge, submission, { ...kernels(judge, options), student });
    proofs.push(full(name, reports, assignment.tasks), releaseProof(assignment, student));
  }
  return proofs;
}

/** What passes once must pass again, and what fails must fail again, with the same words. */
async function deterministic(
  judge: Judge,
  runs: readonly Run[],
  earlier: ReadonlyMap<string, TaskReport[]>,
  options: ValidateOptions,
): Promise<Proof> {
  const details: string[] = [];
  for (const name of REPEATED) {
    const run = runs.find((candidate) => candidate.name === name) as Run;
    const first = verdicts(earlier.get(name) as TaskReport[]);
    for (let i = 1; i < REPEATS; i++) {
      options.signal?.throwIfAborted();
      options.onStart?.(`${name} again`, runs.length - 1, runs.length);
      const submission = { answers: run.answers, notes: [] };
      const found = verdicts(await gradeSubmission(judge, submission, kernels(judge, options)));
      for (const [test, verdict] of found)
        if (first.get(test) !== verdict)
          details.push(`${name}, ${test}: ${first.get(test)}, then ${verdict}`);
    }
  }
  const got = details.length === 0 ? `the same over ${REPEATS} runs` : `${details.length} tests differ`;
  return {
    name: "deterministic",
    ok: details.length === 0,
    expected: `the same over ${REPEATS} runs`,
    got,
    details,
  };
}

function verdicts(reports: readonly TaskReport[]): Map<string, string> {
  return new Map(
    reports.flatMap((task) =>
      task.tests.map((test) => [`${task.name}: ${test.name}`, `${test.status} ${test.message ?? ""}`]),
    ),
  );
}

/** How long the tests of each task take on the reference answers: every submission pays that. */
class TaskTimes {
  private readonly ms = new Map<string, number>();
  private began = 0;

  constructor(private readonly assignment: Assignment) {}

  readonly onTest: NonNullable<GradeOptions["onTest"]> = (key, outcome) => {
    const now = performance.now();
    if (!outcome) {
      this.began = now;
      return;
    }
    const gradeId = key.slice(0, key.indexOf("|"));
    const task = this.assignment.tasks.find(({ tests }) => tests.some((cell) => cell.gradeId === gradeId));
    if (task) this.ms.set(task.name, (this.ms.get(task.name) ?? 0) + now - this.began);
  };

  proof(): Proof {
    const text = [...this.ms].map(([task, ms]) => `${task} ${(ms / 1000).toFixed(2)} s`).join(", ");
    return { name: "time of the tests by task", ok: true, expected: text, got: text, details: [] };
  }
}

function plan(assignment: Assignment, variants: Variant[]): Run[] {
  const { tasks } = assignment;
  const last = tasks.length;
  return [
    {
      name: SOLUTION,
      answers: answersFor(tasks, last),
      judge: (reports) => full(SOLUTION, reports, tasks),
    },
    { name: UNTOUCHED, answers: answersFor(tasks, 0), judge: (reports) => nothing(UNTOUCHED, reports) },
    ...tasks.slice(0, -1).map((task): Run => {
      const name = `${task.name}: tasks 1 to ${task.number} solved`;
      const solved = tasks.slice(0, task.number);
      return {
        name,
        answers: answersFor(tasks, task.number),
        tasks: solved,
        judge: (reports) => full(name, reports, solved),
      };
    }),
    ...variants.map((variant): Run => {
      const task = tasks.find(({ name }) => name === variant.task) as Task;
      const answers = answersFor(tasks, task.number);
      for (const [gradeId, source] of variant.answers) answers.set(gradeId, source);
      return {
        name: `${variant.task}/${variant.name}`,
        answers,
        tasks: [task],
        judge: (reports) => variantProof(variant, reports),
      };
    }),
  ];
}

/** Reference answers for tasks 1 to `solved`, bare stubs for the others. */
function answersFor(tasks: readonly Task[], solved: number): Map<string, string> {
  return new Map(
    tasks.flatMap((task) =>
      task.answers.map((cell) => [cell.gradeId, task.number <= solved ? cell.source : cell.stub] as const),
    ),
  );
}

function full(name: string, reports: TaskReport[], tasks: readonly Task[]): Proof {
  const mine = reports.filter((report) => tasks.some((task) => task.name === report.name));
  return proof(name, `${sum(mine, "points")}`, `${sum(mine, "score")}`, mine);
}

function nothing(name: string, reports: TaskReport[]): Proof {
  const passed = reports.flatMap((task) =>
    task.tests.filter((test) => test.status === "passed").map((test) => `passes: ${test.name}`),
  );
  // A learner who opens the exercise must not meet our own errors first.
  const broken = reports.flatMap((task) =>
    task.cells.filter((cell) => cell.status !== "ok" && cell.status !== "error"),
  );
  const got = `${sum(reports, "score")}${broken.length > 0 ? ", stubs that do not run" : ""}`;
  const details = [...passed, ...broken.map((cell) => `${cell.gradeId}: ${cell.status}: ${cell.message}`)];
  return { ...proof(name, "0", got, []), details };
}

function variantProof(variant: Variant, reports: TaskReport[]): Proof {
  const task = reports.filter((report) => report.name === variant.task);
  const failing = task.flatMap((report) =>
    report.tests.filter((test) => test.status !== "passed").map((test) => test.name),
  );
  const describe = (score: number, fails: string[]) =>
    variant.fails ? `${score}, failing ${[...fails].sort().join(" | ") || "nothing"}` : String(score);
  return proof(
    `${variant.task}/${variant.name}`,
    describe(variant.score, variant.fails ?? []),
    describe(sum(task, "score"), failing),
    task,
  );
}

function proof(name: string, expected: string, got: string, reports: TaskReport[]): Proof {
  const broken = reports.flatMap((task) => task.tests).some((test) => test.status === "grader");
  return {
    name,
    ok: expected === got && !broken,
    expected,
    got: broken ? `${got} (a test is broken)` : got,
    details: reports.flatMap(failures),
  };
}

function failures(task: TaskReport): string[] {
  const cells = task.cells
    .filter((cell) => cell.status !== "ok")
    .map((cell) => `cell ${cell.gradeId}: ${cell.status}: ${cell.message}`);
  const tests = task.tests
    .filter((test) => test.status !== "passed")
    .map((test) => `${test.name}: ${test.status}: ${test.message}`);
  return [...cells, ...tests];
}

function releaseProof(assignment: Assignment, student?: string): Proof {
  const { leaks } = generateRelease(assignment, student);
  return {
    name: `release${student === undefined ? "" : ` for "${student}"`} shows no answers`,
    ok: leaks.length === 0,
    expected: "no leaks",
    got: `${leaks.length} leaks`,
    details: leaks,
  };
}

/** A task that a learner can pass by reading its visible tests is no test. */
function hiddenProof(judge: Judge): Proof[] {
  return judge.assignment.tasks.flatMap((task) => {
    const tests = task.tests.flatMap((cell) => judge.tests.get(cell.gradeId) ?? []);
    const hidden = tests.filter((test) => test.hidden).length;
    if (hidden > 0 && hidden < tests.length) return [];
    const got = `${tests.length - hidden} visible, ${hidden} hidden`;
    return [
      {
        name: `${task.name}: visible and hidden tests`,
        ok: false,
        expected: "some of each",
        got,
        details: [],
      },
    ];
  });
}

function enoughVariants(assignment: Assignment, variants: Variant[]): Proof[] {
  return assignment.tasks.flatMap((task) => {
    const own = variants.filter((variant) => variant.task === task.name);
    const correct = own.filter((variant) => variant.correct).length;
    const wrong = own.length - correct;
    if (wrong >= REQUIRED.wrong && correct >= REQUIRED.correct) return [];
    return [
      {
        name: `${task.name}: enough variants`,
        ok: false,
        expected: `${REQUIRED.wrong} wrong, ${REQUIRED.correct} correct`,
        got: `${wrong} wrong, ${correct} correct`,
        details: [],
      },
    ];
  });
}

function sum(reports: TaskReport[], key: "score" | "points"): number {
  return Math.round(reports.reduce((total, report) => total + report[key], 0) * 1e6) / 1e6;
}
