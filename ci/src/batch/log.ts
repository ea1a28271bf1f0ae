/**
 * The log of a batch: one line of JSON for each thing that happened, appended and never changed. Killed at any moment,
 * a batch has lost the submissions that were under way and nothing else; overrides stand in the same log, so that they
 * survive as well, and it says later who decided what.
 */
import { existsSync } from "node:fs";
import { type FileHandle, mkdir, open, readFile, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { InputError } from "../errors.js";
import { type Report, reportSchema } from "../judge/report.js";

const gradedSchema = z.object({
  type: z.literal("graded"),
  /** Of the submission. */
  name: z.string(),
  /** What each task was graded with. */
  tasks: z.record(z.string(), z.string()),
  report: reportSchema,
});
const staleSchema = z.object({
  type: z.literal("stale"),
  /** These tasks' earlier results are not taken up again. */
  tasks: z.array(z.string()),
});
export const overrideSchema = z.object({
  type: z.literal("override"),
  student: z.string(),
  assignment: z.string(),
  /** Without: about the whole submission. */
  task: z.string().optional(),
  /** `null` takes an earlier one back. */
  score: z.number().nonnegative().nullable().optional(),
  comment: z.string().nullable().optional(),
  by: z.string().optional(),
  at: z.string(),
});
const lineSchema = z.discriminatedUnion("type", [gradedSchema, staleSchema, overrideSchema]);

export type Graded = z.infer<typeof gradedSchema>;
export type Override = z.infer<typeof overrideSchema>;
export type LogLine = z.infer<typeof lineSchema>;

/** What is known of a submission. */
interface Known extends Graded {
  /** Tasks whose results are not valid any more. */
  stale: Set<string>;
}

export class BatchLog {
  private readonly graded = new Map<string, Known>();
  private readonly decisions: Override[] = [];
  private writing: Promise<void> = Promise.resolve();

  private constructor(
    readonly path: string,
    private file: FileHandle | undefined,
    private readonly lock: string | undefined,
  ) {}

  /**
   * Opens a log to go on with it, or begins one. One batch at a time writes to a log.
   * @throws InputError when another process writes to it, or it is no log
   */
  static async open(path: string): Promise<BatchLog> {
    await mkdir(dirname(path), { recursive: true });
    const lock = await takeLock(path);
    try {
      const { lines, validBytes } = await readLines(path);
      const file = await open(path, "a");
      // The rest of a line that a kill cut off: a new line must not begin in its middle.
      await file.truncate(validBytes);
      const log = new BatchLog(path, file, lock);
      for (const line of lines) log.take(line);
      return log;
    } catch (error) {
      await rm(lock, { force: true });
      throw error;
    }
  }

  /** To look at it only. */
  static async read(path: string): Promise<BatchLog> {
    if (!existsSync(path)) throw new InputError("missing", `${path}: there is no such log`);
    const log = new BatchLog(path, undefined, undefined);
    for (const line of (await readLines(path)).lines) log.take(line);
    return log;
  }

  /** Where nothing is kept. */
  static inMemory(): BatchLog {
    return new BatchLog("", undefined, undefined);
  }

  /** Resolves when the line is on the disk. */
  async append(line: LogLine): Promise<void> {
    this.take(line);
    const { file } = this;
    if (!file) return;
    const text = `${JSON.stringify(line)}\n`;
    this.writing = this.writing.then(async () => {
      await file.appendFile(text);
      await file.datasync();
    });
    await this.writing;
  }

  /** The last that was found about a submission. */
  find(name: string): Readonly<Known> | undefined {
    return this.graded.get(name);
  }

  /** All reports, by name. */
  reports(): Report[] {
    return [...this.graded.values()].sort((a, b) => (a.name < b.name ? -1 : 1)).map(({ report }) => report);
  }

  get overrides(): readonly Override[] {
    return this.decisions;
  }

  async close(): Promise<void> {
    await this.writing.catch(() => {});
    await this.file?.close();
    this.file = undefined;
    if (this.lock !== undefined) await rm(this.lock, { force: true });
  }

  private take(line: LogLine): void {
    if (line.type === "graded") this.graded.set(line.name, { ...line, stale: new Set() });
    else if (line.type === "override") this.decisions.push(line);
    else for (const known of this.graded.values()) for (const task of line.tasks) known.stale.add(task);
  }
}

/** Whole lines, and how far they reach. @throws InputError for a line in the middle that is none of a log */
async function readLines(path: string): Promise<{ lines: LogLine[]; validBytes: number }> {
  const bytes = await readFile(path).catch(() => Buffer.alloc(0));
  const lines: LogLine[] = [];
  let start = 0;
  for (let number = 1; start < bytes.length; number++) {
    const end = bytes.indexOf(0x0a, start);
    if (end < 0) break; // cut off by a kill
    const line = parseLine(bytes.toString("utf8", start, end));
    if (!line)
      throw new InputError(
        "unreadable",
        `${path}, line ${number}: is no line of a grading log; name another file, or move this one away`,
      );
    lines.push(line);
    start = end + 1;
  }
  return { lines, validBytes: start };
}

function parseLine(text: string): LogLine | undefined {
  try {
    return lineSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** @returns the lock's path */
async function takeLock(path: string): Promise<string> {
  const lock = `${path}.lock`;
  for (let tries = 0; tries < 3; tries++) {
    try {
      const file = await open(lock, "wx");
      await file.writeFile(String(process.pid));
      await file.close();
      return lock;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const owner = Number(await readFile(lock, "utf8").catch(() => ""));
      if (owner > 0 && owner !== process.pid && lives(owner))
        throw new InputError("unreadable", `${path}: process ${owner} is grading into this log (${lock})`);
      await rm(lock, { force: true }); // its owner was killed
    }
  }
  throw new InputError("unreadable", `${path}: can't be locked (${lock})`);
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
