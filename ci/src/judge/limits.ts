/** What a submission may use. Times are of the wall clock, in milliseconds. */
export interface GradeLimits {
  /** One answer from the learner's code to one request of a test. */
  callMs: number;
  /** One cell of the learner's notebook. */
  cellMs: number;
  /** All that runs for one submission. */
  notebookMs: number;
  /** Process restarts for one submission. */
  restarts: number;
}

export const DEFAULT_LIMITS: GradeLimits = {
  callMs: 10_000,
  cellMs: 30_000,
  notebookMs: 300_000,
  restarts: 10,
};
