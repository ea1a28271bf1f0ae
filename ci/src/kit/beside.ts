/**
 * The kit's host in a notebook: the tests run beside the student's code. Values are copied through the same wire
 * as in the grader, so a test that passes here passes there.
 */
import { Peer } from "../wire/peer.js";
import type { TensorData } from "../wire/tensor.js";
import { type DeclaredTest, runTest, sumPoints, type TestHost, type TestOutcome } from "./check.js";
import { outcomesAsHtml, outcomesAsText } from "./render.js";
import { compilePortable, resolveName } from "./resolve.js";

/** For programs that read a notebook's outputs. Whatever it says, the learner's code could have said it. */
const IN_KERNEL_REPORT_MIME = "application/vnd.mlsys.report+json";

type Publish = (bundle: Record<string, unknown>) => void;

/** A pair of peers in one process; the returned one is the test's. */
export function peerBeside(tensor?: (data: TensorData) => unknown): Peer {
  const test: Peer = new Peer({ send: (frame) => queueMicrotask(() => code.receive(frame)) });
  const code: Peer = new Peer({
    send: (frame) => queueMicrotask(() => test.receive(frame)),
    resolve: resolveName,
    portable: compilePortable,
    tensor,
  });
  return test;
}

export const besideHost: TestHost = {
  hidden: () => false,
  async run(title, tests) {
    const outcomes: TestOutcome[] = [];
    for (const test of tests) outcomes.push(await runTest(withVisibleFlag(test)));
    publish(title, outcomes);
    const score = sumPoints(outcomes.map((outcome) => outcome.score));
    const complete = outcomes.every((outcome) => outcome.status === "passed");
    // Without an output nbgrader gives all points. Only its Validate button, which sees the visible tests alone
    // and compares with the points of all, is answered that way.
    return complete && process.env.NBGRADER_EXECUTION === "validate" ? undefined : score;
  },
};

function withVisibleFlag(test: DeclaredTest): DeclaredTest {
  return { ...test, hidden: false };
}

function publish(title: string, outcomes: TestOutcome[]): void {
  const text = outcomesAsText(title, outcomes);
  const send = (globalThis as Record<symbol, unknown>)[Symbol.for("Jupyter.publish")] as Publish | undefined;
  if (send) {
    const tests = outcomes.map(({ name, points, score, status }) => ({ name, points, score, status }));
    send({
      "text/plain": text,
      "text/html": outcomesAsHtml(title, outcomes),
      [IN_KERNEL_REPORT_MIME]: { version: 1, title, trust: "in-kernel", tests },
    });
  } else console.log(text);
}
