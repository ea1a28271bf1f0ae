/**
 * The service's end of a fleet: what is pending in the database is offered through Redis, and what workers found is
 * recorded in the database. Redis may lose everything: what is not recorded is offered again.
 */
import { Queue, QueueEvents } from "bullmq";
import { failedReport } from "../batch/grade-file.js";
import { messageOf } from "../errors.js";
import type { Report } from "../judge/report.js";
import { progressSchema } from "../submit/protocol.js";
import type { Catalog } from "./catalog.js";
import { connectionOf, type FleetOptions, type Job, QUEUE_NAME, resultSchema } from "./fleet.js";
import type { ProgressBoard } from "./progress.js";
import type { WorkQueue } from "./queue.js";
import type { Submissions } from "./submissions.js";

const SWEEP_MS = 15_000;
/** Workers that fail at it, one after the other. */
const ATTEMPTS = 5;
const RETRY_MS = 1_000;

export class RedisQueue implements WorkQueue {
  private readonly queue: Queue<Job, unknown>;
  private readonly events: QueueEvents;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;
  private sweeping: Promise<void> = Promise.resolve();

  constructor(
    private readonly submissions: Submissions,
    private readonly board: ProgressBoard,
    private readonly catalog: Catalog,
    fleet: FleetOptions,
    private readonly log: (message: string) => void,
    private readonly sweepMs = SWEEP_MS,
  ) {
    const connection = connectionOf(fleet.url);
    this.queue = new Queue(QUEUE_NAME, { connection });
    this.events = new QueueEvents(QUEUE_NAME, { connection });
    let last = "";
    const say = (error: Error): void => {
      // Once, not for each attempt to connect.
      if (error.message !== last && !this.closed) this.log(`redis: ${error.message}`);
      last = error.message;
    };
    this.queue.on("error", say);
    this.events.on("error", say);
    // Requests wait until it is back; nobody else would say why nothing is graded.
    this.queue.on("ioredis:close", () => say(new Error("the connection is lost")));
    void this.queue.waitUntilReady().catch(say);
  }

  async start(): Promise<void> {
    this.events.on("active", ({ jobId }) =>
      this.board.set(idOf(jobId), { state: "running", task: 0, tasks: 0, tests: 0 }),
    );
    this.events.on("progress", ({ jobId, data }) => {
      const progress = progressSchema.safeParse(data);
      if (progress.success && progress.data.state === "running") this.board.set(idOf(jobId), progress.data);
    });
    this.events.on("stalled", ({ jobId }) => this.board.drop(idOf(jobId)));
    this.events.on("completed", ({ jobId }) => void this.look(idOf(jobId)));
    this.events.on("failed", ({ jobId }) => void this.look(idOf(jobId)));
    this.timer = setInterval(() => void this.sweep(), this.sweepMs);
    void this.sweep();
  }

  offer(id: string): void {
    void this.look(id);
  }

  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.timer);
    // Without Redis there is nothing to wait for.
    await Promise.all([this.queue.disconnect(), this.events.disconnect()].map((end) => end.catch(() => {})));
    await this.sweeping;
  }

  /** Events may be missed, jobs may be lost: the database says what is to be done. */
  private sweep(): Promise<void> {
    const work = async () => {
      for (const id of this.submissions.pending()) {
        if (this.closed) return;
        await this.look(id);
      }
    };
    this.sweeping = this.sweeping.then(work);
    return this.sweeping;
  }

  /** Brings one submission on: offers it, or takes what came of it. */
  private async look(id: string): Promise<void> {
    if (this.closed) return;
    try {
      const ticket = this.submissions.ticket(id);
      if (ticket === undefined) return; // it has its grade
      const jobId = `${id}.${ticket}`;
      // First its state, then what belongs to it: a job that was read before it ended has no result.
      const state = await this.queue.getJobState(jobId);
      if (state === "unknown") return await this.put(id, jobId);
      if (state !== "completed" && state !== "failed") return;
      const job = await this.queue.getJob(jobId);
      if (!job || this.closed) return;
      const { file, assignment } = job.data;
      await this.submissions.record(
        id,
        state === "completed"
          ? await reportFrom(job.returnvalue, file, assignment)
          : await failed(
              `no worker could grade it: ${job.failedReason ?? "no reason given"}`,
              file,
              assignment,
            ),
      );
      this.board.drop(id);
      await job.remove();
    } catch (error) {
      if (!this.closed) this.log(`redis: ${id}: ${messageOf(error)}`);
    }
  }

  private async put(id: string, jobId: string): Promise<void> {
    const work = this.submissions.work(id);
    if (!work) return;
    const { person, assignment, file, bytes } = work;
    const data = {
      id,
      person,
      assignment,
      file,
      bytes: bytes.toString("base64"),
      source: this.catalog.digest(assignment),
    };
    await this.queue.add("grade", data, {
      jobId,
      attempts: ATTEMPTS,
      backoff: { type: "exponential", delay: RETRY_MS },
    });
  }
}

/** Jobs carry the id and the ticket of the work. */
function idOf(jobId: string): string {
  return jobId.slice(0, jobId.lastIndexOf("."));
}

async function reportFrom(value: unknown, file: string, assignment: string): Promise<Report> {
  const result = resultSchema.safeParse(value);
  return result.success ? result.data : failed("a worker sent no report", file, assignment);
}

async function failed(message: string, file: string, assignment: string): Promise<Report> {
  // The report's maker looks at the file that it is given: not at one that a learner names.
  return { ...(await failedReport("", message)), file, assignment };
}
