/** A worker's end of a fleet: takes submissions from Redis and grades them here. */
import { Worker } from "bullmq";
import { GraderError } from "../errors.js";
import type { Report } from "../judge/report.js";
import { connectionOf, type FleetOptions, type Job, jobSchema, LOST_MS, QUEUE_NAME } from "./fleet.js";
import type { Grader } from "./grader.js";

/** How often a submission may outlive its worker. */
const MAX_LOST = 10;

export interface FleetWorkerOptions extends FleetOptions {
  grader: Grader;
  /** SHA-256 of this machine's copy of an assignment's source. */
  digest: (assignment: string) => string;
  /** Submissions at once. */
  jobs: number;
  log: (message: string) => void;
}

export class FleetWorker {
  private readonly worker: Worker<Job, Report>;

  constructor(private readonly options: FleetWorkerOptions) {
    const { url, lostMs = LOST_MS, jobs, log } = options;
    this.worker = new Worker<Job, Report>(
      QUEUE_NAME,
      async (job) => this.grade(job.data, (p) => job.updateProgress(p)),
      {
        connection: connectionOf(url),
        concurrency: jobs,
        lockDuration: lostMs,
        stalledInterval: lostMs / 2,
        maxStalledCount: MAX_LOST,
      },
    );
    let last = "";
    this.worker.on("error", (error) => {
      if (error.message !== last) log(`redis: ${error.message}`);
      last = error.message;
    });
    this.worker.on("completed", (job, report) =>
      log(`${job.data.id}: ${report.status} ${report.score}/${report.points}`),
    );
    this.worker.on("failed", (job, error) => log(`${job?.data.id}: ${error.message}`));
  }

  /** Ends what is being graded first, and takes nothing more. */
  async close(): Promise<void> {
    await this.worker.close();
    await this.options.grader.close();
  }

  private async grade(data: unknown, onProgress: (progress: object) => Promise<void>): Promise<Report> {
    const { id, person, assignment, file, bytes, source } = jobSchema.parse(data);
    if (this.options.digest(assignment) !== source)
      throw new GraderError(
        `a worker has another version of the assignment "${assignment}": bring it up to date`,
      );
    return this.options.grader.grade(
      { id, person, assignment, file, bytes: Buffer.from(bytes, "base64") },
      (progress) => {
        // How far it is may get lost; the result may not.
        onProgress(progress).catch(() => {});
      },
    );
  }
}
