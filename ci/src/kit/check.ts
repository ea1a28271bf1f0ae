/** `check`: the tests of one cell, declared first and then run one by one, each worth points of its own. */
import { type Comparison, ExpectationError } from "./expect.js";
import { type TestScope, testScope } from "./scope.js";
import { StudentError } from "./student.js";

export interface TestOptions {
  points: number;
  /** Shown to the learner when the test does not pass, also when it is hidden. */
  hint?: string;
}

export interface DeclaredTest {
  name: string;
  points: number;
  hint?: string;
  hidden: boolean;
  body: () => Promise<unknown> | unknown;
}

/**
 * How a test ended. `failed`: an expectation did not hold. `error`: the student's code threw. `timeout`, `oom`, `exit`,
 * `protocol`, `limit`: the student's process did not answer. `compile`: an answer cell does not compile. `grader`: the
 * test itself is broken, which is nobody's fault but the author's.
 */
export type TestStatus =
  | "passed"
  | "failed"
  | "error"
  | "timeout"
  | "oom"
  | "exit"
  | "protocol"
  | "limit"
  | "compile"
  | "grader";

export interface TestOutcome {
  name: string;
  points: number;
  /** Points earned: all or none. */
  score: number;
  status: TestStatus;
  hidden: boolean;
  hint?: string;
  message?: string;
  comparison?: Comparison;
  /** Stack lines of the student's own error. */
  stack?: readonly string[];
}

/** Where the tests of a cell run: beside the student's code, or in the judge. */
export interface TestHost {
  /** Runs (or only lists) the tests; the result is the value of `await ….run()`. */
  run(title: string, tests: readonly DeclaredTest[]): Promise<number | undefined>;
  /** Between the markers of hidden tests? */
  hidden(): boolean;
}

export class Check {
  private readonly tests: DeclaredTest[] = [];
  private ran = false;

  constructor(
    readonly title: string,
    private readonly host: TestHost,
  ) {}

  /** @throws Error for a name used twice or points that are not positive */
  test(name: string, options: TestOptions, body: () => Promise<unknown> | unknown): this {
    const where = `${this.title}: test ${JSON.stringify(name)}`;
    if (this.ran) throw new Error(`${where} is declared after run()`);
    if (typeof name !== "string" || name.trim() === "" || name.includes("|"))
      throw new Error(`${where}: a name is text without "|"`);
    if (this.tests.some((test) => test.name === name)) throw new Error(`${where} is declared twice`);
    if (!(options.points > 0) || !Number.isFinite(options.points))
      throw new Error(`${where}: points must be positive, not ${options.points}`);
    this.tests.push({ name, points: options.points, hint: options.hint, hidden: this.host.hidden(), body });
    return this;
  }

  /** Runs all tests. The value is nbgrader's partial credit: the points earned, as a plain number. */
  async run(): Promise<number | undefined> {
    if (this.ran) throw new Error(`${this.title}: run() is called twice`);
    this.ran = true;
    return this.host.run(this.title, this.tests);
  }
}

/** Runs one test to its outcome; never throws. */
export async function runTest(test: DeclaredTest): Promise<TestOutcome> {
  const scope: TestScope = { calls: 0, answers: 0, expectations: 0 };
  const { name, points, hint, hidden } = test;
  const outcome = (status: TestStatus, rest: Partial<TestOutcome> = {}): TestOutcome => ({
    name,
    points,
    hidden,
    hint,
    status,
    score: status === "passed" ? points : 0,
    ...rest,
  });
  try {
    await testScope.run(scope, async () => test.body());
  } catch (error) {
    return outcome(...classify(error, scope));
  }
  // Silence is never a pass.
  if (scope.answers === 0)
    return outcome("grader", { message: "the test never asks the student's code (student.…)" });
  if (scope.expectations === 0) return outcome("grader", { message: "the test states nothing (no expect…)" });
  return outcome("passed");
}

/** Points with the noise of binary fractions removed. */
export function sumPoints(values: readonly number[]): number {
  return Math.round(values.reduce((sum, value) => sum + value, 0) * 1e6) / 1e6;
}

/** An error that says by itself how the test ended: thrown by whatever runs the student's process. */
export interface StatusError extends Error {
  readonly testStatus: TestStatus;
}

function classify(error: unknown, scope: TestScope): [TestStatus, Partial<TestOutcome>] {
  if (error instanceof ExpectationError)
    return ["failed", { message: error.message, comparison: error.comparison }];
  if (error instanceof StudentError) return ["error", { message: error.message, stack: error.studentStack }];
  const message = error instanceof Error ? error.message : String(error);
  const status = (error as Partial<StatusError> | undefined)?.testStatus;
  if (status !== undefined) return [status, { message }];
  // The test stumbled over a value. Over the student's, if one had arrived; else it is broken by itself.
  const name = error instanceof Error ? error.name : "error";
  if (scope.answers > 0)
    return ["error", { message: `the test could not use the value that it got (${name}: ${message})` }];
  return ["grader", { message: `${name}: ${message}` }];
}
