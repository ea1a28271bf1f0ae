/** Grading one submission: the learner's answers in the box, the instructor's tests here, the points from the manifest. */
import type { Assignment, Task } from "../assignment/assignment.js";
import { personal, type SeededValues, seededValues } from "../assignment/seeded.js";
import type { SharedChecker } from "../checker/checker.js";
import { AuthoringError, GraderError, messageOf } from "../errors.js";
import { type DeclaredTest, runTest, sumPoints, type TestHost, type TestOutcome } from "../kit/check.js";
import { createKit, kitNames } from "../kit/create.js";
import type { SessionFactory } from "../session/session.js";
import { Peer } from "../wire/peer.js";
import { Box, type BoxCell, BoxError } from "./box.js";
import { DEFAULT_LIMITS, type GradeLimits } from "./limits.js";
import { type JudgeModule, loadJudgeModule } from "./module.js";
import type { TaskReport } from "./report.js";
import type { Submission } from "./submission.js";

/** A test as the manifest lists it. */
export interface ListedTest {
  name: string;
  points: number;
  hidden: boolean;
  hint?: string;
}

/** An assignment that is ready to grade with. */
export interface Judge {
  assignment: Assignment;
  module: JudgeModule;
  /** By test cell. */
  tests: Map<string, ListedTest[]>;
}

export interface GradeOptions {
  open: SessionFactory;
  /** For cells that `checker` found right and that are plain. */
  openBare?: SessionFactory;
  /** Where the kernels of `open` do not check types themselves. */
  checker?: Pick<SharedChecker, "begin">;
  limits?: GradeLimits;
  visibleOnly?: boolean;
  /** Grade these tasks only; the others' answers still run. */
  tasks?: readonly string[];
  /** Whose own values the given cells have; without, the author's. */
  student?: string;
  /** Told when a test begins and when it has ended. */
  onTest?: (key: TestKey, outcome?: TestOutcome) => void;
  /** Outcomes from an earlier attempt at the same submission; these tests are not run again. */
  finished?: ReadonlyMap<TestKey, TestOutcome>;
}

/** Names a test of an assignment. */
export type TestKey = string & { readonly TestKey?: never };

/**
 * Compiles the instructor's code and lists its tests.
 * @param released a notebook without its hidden tests: the points of a cell may exceed those of its tests
 * @throws AuthoringError
 */
export async function prepareJudge(assignment: Assignment, { released = false } = {}): Promise<Judge> {
  const module = await loadJudgeModule(assignment);
  const tests = new Map<string, ListedTest[]>();
  const closed = new BoxError("grader", "student.… may be used inside tests only");
  const peer: Peer = new Peer({ send: () => queueMicrotask(() => peer.fail(closed)) });
  let current: DeclaredTest[] | undefined;
  let hidden = false;
  const lister: TestHost = {
    hidden: () => hidden,
    run: async (title, declared) => {
      if (current) throw new AuthoringError(`"${title}": a test cell runs one check`);
      current = [...declared];
      return 0;
    },
  };
  const cells = await module(kitNames(createKit(peer, lister)), ignoreDisplay, NO_VALUES).catch(
    (error: unknown) => {
      throw new AuthoringError(`${assignment.slug}: the given cells fail in the judge: ${messageOf(error)}`);
    },
  );
  for (const cell of assignment.cells) {
    if (cell.kind !== "test") continue;
    const where = `${assignment.slug}, test cell ${cell.gradeId}`;
    current = undefined;
    hidden = false;
    await cells
      .get(cell.gradeId)?.((value) => {
        hidden = value;
      })
      .catch((error: unknown) => {
        throw error instanceof AuthoringError ? error : new AuthoringError(`${where}: ${messageOf(error)}`);
      });
    const listed: DeclaredTest[] | undefined = current;
    if (!listed) throw new AuthoringError(`${where}: no check is run: end the cell with "await ….run()"`);
    const total = sumPoints((listed as DeclaredTest[]).map((test) => test.points));
    if (total !== cell.points && !(released && total < cell.points)) {
      throw new AuthoringError(`${where}: its tests are worth ${total} points, the cell says ${cell.points}`);
    }
    tests.set(
      cell.gradeId,
      (listed as DeclaredTest[]).map(({ name, points, hidden, hint }) => ({ name, points, hidden, hint })),
    );
  }
  return { assignment, module, tests };
}

const NO_VALUES: SeededValues = new Map();

/** Grades a submission. @throws GraderError when the grader itself fails: no kernel, or a broken given cell */
export async function gradeSubmission(
  judge: Judge,
  submission: Submission,
  options: GradeOptions,
): Promise<TaskReport[]> {
  const limits = options.limits ?? DEFAULT_LIMITS;
  const { student } = options;
  const values = student === undefined ? undefined : seededValues(judge.assignment, student);
  const assignment = personal(judge.assignment, values);
  const code = assignment.cells.flatMap((cell): BoxCell[] => {
    if (cell.kind === "test") return [];
    const source = cell.kind === "given" ? cell.source : (submission.answers.get(cell.gradeId) ?? "");
    return [{ gradeId: cell.gradeId, kind: cell.kind, source }];
  });
  const box = new Box(options, code, limits);
  try {
    await box.start();
    const host = new JudgeHost(limits, options);
    const cells = await judge.module(kitNames(createKit(box.peer, host)), ignoreDisplay, values ?? NO_VALUES);
    const reports: TaskReport[] = [];
    for (const task of assignment.tasks) {
      if (options.tasks && !options.tasks.includes(task.name)) continue;
      const outcomes: TestOutcome[] = [];
      for (const cell of task.tests) {
        const run = cells.get(cell.gradeId);
        if (!run) throw new GraderError(`the test cell ${cell.gradeId} is not there`);
        const expected = (judge.tests.get(cell.gradeId) ?? []).filter(
          (test) => !(options.visibleOnly && test.hidden),
        );
        outcomes.push(...complete(expected, await host.collect(cell.gradeId, run)));
      }
      reports.push(taskReport(task, outcomes, box, submission));
    }
    return reports;
  } finally {
    await box.stop();
  }
}

class JudgeHost implements TestHost {
  private inHidden = false;
  private outcomes: TestOutcome[] = [];
  private gradeId = "";

  constructor(
    private readonly limits: GradeLimits,
    private readonly options: Pick<GradeOptions, "visibleOnly" | "onTest" | "finished">,
  ) {}

  hidden(): boolean {
    return this.inHidden;
  }

  async run(_: string, tests: readonly DeclaredTest[]): Promise<number> {
    const { visibleOnly, onTest, finished } = this.options;
    for (const test of tests) {
      if (visibleOnly && test.hidden) continue;
      const key: TestKey = `${this.gradeId}|${test.name}`;
      let outcome = finished?.get(key);
      if (!outcome) {
        onTest?.(key);
        outcome = await this.limited(test);
        onTest?.(key, outcome);
      }
      this.outcomes.push(outcome);
    }
    return 0;
  }

  /** Runs a test cell; an error outside its tests leaves them without outcome, which `complete` notices. */
  async collect(
    gradeId: string,
    run: (setHidden: (hidden: boolean) => void) => Promise<void>,
  ): Promise<{ outcomes: TestOutcome[]; error?: unknown }> {
    this.gradeId = gradeId;
    this.outcomes = [];
    this.inHidden = false;
    try {
      await run((hidden) => {
        this.inHidden = hidden;
      });
      return { outcomes: this.outcomes };
    } catch (error) {
      return { outcomes: this.outcomes, error };
    }
  }

  private async limited(test: DeclaredTest): Promise<TestOutcome> {
    const limit = this.limits.cellMs * 2;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<TestOutcome>((resolve) => {
      const { name, points, hint, hidden } = test;
      const message = `the test took longer than ${limit / 1000} s`;
      timer = setTimeout(
        () => resolve({ name, points, hint, hidden, score: 0, status: "timeout", message }),
        limit,
      );
    });
    const outcome = await Promise.race([runTest(test), late]);
    clearTimeout(timer);
    return outcome;
  }
}

/** Exactly the tests that the manifest lists, each with an outcome: one that did not run is the grader's fault. */
function complete(
  expected: readonly ListedTest[],
  { outcomes, error }: { outcomes: TestOutcome[]; error?: unknown },
): TestOutcome[] {
  return expected.map((test) => {
    const outcome = outcomes.find(({ name }) => name === test.name);
    if (outcome) return { ...outcome, points: test.points, hidden: test.hidden };
    const message =
      error === undefined ? "the test did not run" : `the test did not run: ${messageOf(error)}`;
    return { ...test, score: 0, status: "grader", message };
  });
}

function taskReport(task: Task, outcomes: TestOutcome[], box: Box, submission: Submission): TaskReport {
  const cells = task.answers.map(({ gradeId }) => {
    const { status, message } = submission.answers.has(gradeId)
      ? (box.cells.get(gradeId) ?? { status: "ok" as const, message: undefined })
      : { status: "missing" as const, message: "the answer cell is not in the notebook" };
    return { gradeId, status, message };
  });
  const broken = cells.find((cell) => cell.status !== "ok");
  const tests = outcomes.map((outcome) => explainMissing(outcome, broken));
  const score = sumPoints(tests.map((test) => test.score));
  const points = sumPoints(tests.map((test) => test.points));
  return { name: task.name, number: task.number, title: task.title, score, points, tests, cells };
}

/** "is not defined" after a cell that did not run to its end is the cell's failure. */
function explainMissing(outcome: TestOutcome, broken: TaskReport["cells"][number] | undefined): TestOutcome {
  if (!broken || outcome.status !== "error" || !/ is (not defined|undefined)/.test(outcome.message ?? ""))
    return outcome;
  const status = broken.status === "ok" || broken.status === "missing" ? "error" : broken.status;
  return {
    ...outcome,
    status,
    message:
      `${outcome.message}\nThe cell "${broken.gradeId}" did not run to its end. ${broken.message ?? ""}`.trim(),
  };
}

/** `display` in given and test cells shows nothing in the judge. */
const ignoreDisplay: unknown = new Proxy(() => undefined, { get: () => () => undefined });
