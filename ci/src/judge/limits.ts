/** What a submission may use. Times are in milliseconds. */
import { type BoxLimits, DEFAULT_BOX_LIMITS } from "../sandbox/limits.js";
import type { Budget } from "../session/session.js";

export interface GradeLimits {
  /** One answer from the learner's code to one request of a test, by the wall clock. */
  callMs: number;
  /** One cell of the learner's notebook. */
  cellMs: number;
  /** All that runs for one submission. */
  notebookMs: number;
  /** The same three in processor time: a busy machine does not cost a learner what an idle one would not. */
  callCpuMs: number;
  cellCpuMs: number;
  notebookCpuMs: number;
  /** Process restarts for one submission. */
  restarts: number;
  /** What one cell or call may print or display. */
  outputBytes: number;
  outputMessages: number;
  box: BoxLimits;
}

export const DEFAULT_LIMITS: GradeLimits = {
  callMs: 10_000,
  cellMs: 30_000,
  notebookMs: 300_000,
  callCpuMs: 15_000,
  cellCpuMs: 45_000,
  notebookCpuMs: 300_000,
  restarts: 10,
  outputBytes: 16 * 1024 * 1024,
  outputMessages: 10_000,
  box: DEFAULT_BOX_LIMITS,
};

/** A request of a test, a cell of the learner's, or code of the instructor's, which is trusted to come to its end. */
export type Step = "call" | "cell" | "given";

const TRUSTED_MS = 60_000;

/**
 * What is left for one step.
 * @param leftMs of the notebook's time @param cpuLeftMs of its processor time, where it is known
 */
export function budgetFor(
  step: Step,
  limits: GradeLimits,
  leftMs: number,
  cpuLeftMs: number | undefined,
): Budget {
  const [wall, cpu] = {
    call: [limits.callMs, limits.callCpuMs],
    cell: [limits.cellMs, limits.cellCpuMs],
    given: [TRUSTED_MS, TRUSTED_MS],
  }[step];
  return {
    wallMs: Math.max(1, Math.min(wall, leftMs)),
    cpuMs: Math.max(1, Math.min(cpu, cpuLeftMs ?? cpu)),
    outputBytes: limits.outputBytes,
    outputMessages: limits.outputMessages,
  };
}
