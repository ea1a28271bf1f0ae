/** Grades accepted submissions, some at once, each in a judge's process and a box, and says how far it is. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { failedReport } from "../batch/grade-file.js";
import { Supervisor } from "../batch/supervisor.js";
import { messageOf } from "../errors.js";
import type { JudgeSetup } from "../judge/messages.js";
import type { Report } from "../judge/report.js";
import type { Progress } from "../submit/protocol.js";
import type { Catalog } from "./catalog.js";
import type { Work } from "./submissions.js";

export type OnProgress = (progress: Extract<Progress, { state: "running" }>) => void;

/** What the queues need of a grader. */
export interface Grader {
  /** Never fails: what goes wrong is in the report. */
  grade(work: Omit<Work, "attempts">, onProgress: OnProgress): Promise<Report>;
  close(): Promise<void>;
}

export class BoxGrader implements Grader {
  private readonly idle: Supervisor[] = [];
  private readonly all = new Set<Supervisor>();

  constructor(
    private readonly setup: JudgeSetup,
    private readonly catalog: Catalog,
    /** For files while they are graded. */
    private readonly folder: string,
  ) {}

  async grade(
    { id, person, assignment, file, bytes }: Omit<Work, "attempts">,
    onProgress: OnProgress,
  ): Promise<Report> {
    const supervisor = this.idle.pop() ?? this.open();
    // Of what the learner named only what is shown; the path is ours.
    const path = join(this.folder, `${id}.ipynb`);
    let tests = 0;
    try {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      await writeFile(path, bytes, { mode: 0o600 });
      supervisor.onTest = (key, outcome) => {
        if (outcome) tests++;
        onProgress({ state: "running", ...this.catalog.taskOf(assignment, key), tests });
      };
      const report = await supervisor.grade(path, assignment, undefined, person);
      const message = report.message?.replaceAll(path, file);
      return { ...report, file, ...(message === undefined ? {} : { message }) };
    } catch (error) {
      return { ...(await failedReport("", messageOf(error))), file, assignment };
    } finally {
      this.idle.push(supervisor);
      await rm(path, { force: true });
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.all].map((supervisor) => supervisor.close()));
  }

  private open(): Supervisor {
    const supervisor = new Supervisor(this.setup);
    this.all.add(supervisor);
    return supervisor;
  }
}
