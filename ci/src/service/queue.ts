/** How accepted submissions come to graders: within the service, or over Redis to other machines. */
import { randomUUID } from "node:crypto";
import { failedReport } from "../batch/grade-file.js";
import type { Grader } from "./grader.js";
import type { ProgressBoard } from "./progress.js";
import type { Submissions } from "./submissions.js";

/**
 * The guarantee of every queue: what is pending in the database is graded, whatever ends meanwhile, and one grade is recorded
 * for it. A grading that was cut off is done again; its result was never seen by anyone.
 */
export interface WorkQueue {
  /** Takes up what is pending. */
  start(): Promise<void>;
  /** There is something new. Safe to call again. */
  offer(id: string): void;
  /** Begins nothing more; what is unfinished stays pending. */
  close(): Promise<void>;
}

/** Whoever takes the service down with it each time is given up. */
const MAX_ATTEMPTS = 5;

/** Graders in the service's own process; the queue is the table of work. */
export class LocalQueue implements WorkQueue {
  private readonly owner = randomUUID();
  private running = 0;
  private closed = false;

  constructor(
    private readonly submissions: Submissions,
    private readonly board: ProgressBoard,
    private readonly grader: Grader,
    /** Submissions at once. */
    private readonly jobs: number,
  ) {}

  async start(): Promise<void> {
    // Nobody else has this folder: who owned work before is gone.
    this.submissions.release();
    this.offer();
  }

  offer(): void {
    while (!this.closed && this.running < this.jobs) {
      const work = this.submissions.claim(this.owner);
      if (!work) return;
      this.running++;
      void this.work(work).finally(() => {
        this.running--;
        this.offer();
      });
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.grader.close();
    this.submissions.release(this.owner);
  }

  private async work(work: NonNullable<ReturnType<Submissions["claim"]>>): Promise<void> {
    const { id, attempts, file, assignment } = work;
    this.board.set(id, { state: "running", task: 0, tasks: 0, tests: 0 });
    const report =
      attempts > MAX_ATTEMPTS
        ? // The report's maker looks at the file that it is given: not at one that a learner names.
          { ...(await failedReport("", `grading ended the service ${MAX_ATTEMPTS} times`)), file, assignment }
        : await this.grader.grade(work, (progress) => this.board.set(id, progress));
    // A grader that is told to end says so in its reports, and that is no grade.
    if (this.closed) return;
    await this.submissions.record(id, report);
    this.board.drop(id);
  }
}
