/** `serve` and `worker` at work. Loaded only for them: a web server is a lot to load for a command line. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { findCourse } from "../batch/course.js";
import { isolationOf } from "../batch/grade-file.js";
import { readSettings } from "../batch/settings.js";
import { GraderError } from "../errors.js";
import { DEFAULT_LIMITS } from "../judge/limits.js";
import type { JudgeSetup } from "../judge/messages.js";
import { printable } from "../report/terminal.js";
import { openImage } from "../sandbox/image.js";
import { chooseIsolation } from "../sandbox/ladder.js";
import { sweep } from "../sandbox/process.js";
import { Catalog } from "../service/catalog.js";
import { FleetWorker } from "../service/fleet-worker.js";
import type { Keep } from "../service/gradebook.js";
import { BoxGrader } from "../service/grader.js";
import { LocalQueue } from "../service/queue.js";
import { RedisQueue } from "../service/redis-queue.js";
import { RunningService } from "../service/service.js";
import { type BoxFlags, type CourseFlags, type LimitFlags, limitsOf } from "./options.js";

export interface ServeFlags extends CourseFlags, LimitFlags, BoxFlags {
  data: string;
  host: string;
  port: number;
  publicUrl?: string;
  name: string;
  maxUpload: number;
  perHour: number;
  perPerson: number;
  keep: Keep;
  pick?: string;
  redis?: string;
}
export interface WorkerFlags extends CourseFlags, LimitFlags, BoxFlags {
  redis: string;
}

/** Serves until it is told to end. */
export async function serve(flags: ServeFlags, signal: AbortSignal): Promise<void> {
  const course = findCourse(process.cwd(), flags);
  const catalog = await Catalog.read(course);
  const { redis } = flags;
  const log = (message: string) => void process.stderr.write(`${printable(message)}\n`);
  const setup = redis === undefined ? await judgeSetup(flags, course) : undefined;
  const {
    jobs,
    maxUpload: maxBytes,
    perPerson: bytesPerPerson,
    perHour,
    keep,
    publicUrl,
    name,
    pick,
  } = flags;
  if (publicUrl !== undefined && !URL.canParse(publicUrl))
    throw new GraderError(`--public-url ${publicUrl}: expected an address like https://grade.example.org`);
  // What a service that was killed left there is in the database as well.
  const files = join(resolve(flags.data), "grading");
  await rm(files, { recursive: true, force: true });
  const running = await RunningService.open({
    folder: resolve(flags.data),
    catalog,
    courseName: name,
    maxBytes,
    perHour,
    bytesPerPerson,
    perMinute: 300,
    signInsPerMinute: 20,
    keep,
    settings: await readSettings(course),
    publicUrl,
    shelf: pick === undefined ? undefined : resolve(pick),
    makeQueue: (submissions, board) =>
      setup
        ? new LocalQueue(submissions, board, new BoxGrader(setup, catalog, files), jobs)
        : new RedisQueue(submissions, board, catalog, { url: redisUrl(redis) }, log),
    log,
  });
  try {
    const address = await running.listen(flags.host, flags.port);
    console.log(`serving ${catalog.offers().length} assignments at ${publicUrl ?? address}`);
    const where = setup ? `isolation: ${setup.isolation.level}` : "workers grade";
    console.log(`${where}; Ctrl-C ends it, and another start goes on where it was`);
    await aborted(signal);
  } finally {
    await running.close();
  }
}

/** Grades until it is told to end; what it grades then, it grades to the end. */
export async function work(flags: WorkerFlags, signal: AbortSignal): Promise<void> {
  const url = redisUrl(flags.redis);
  const course = findCourse(process.cwd(), flags);
  const catalog = await Catalog.read(course);
  const setup = await judgeSetup(flags, course);
  const files = await mkdtemp(join(tmpdir(), "mlsys-worker-"));
  const worker = new FleetWorker({
    url,
    grader: new BoxGrader(setup, catalog, files),
    digest: (slug) => catalog.digest(slug),
    jobs: flags.jobs,
    log: (message) => console.log(printable(message)),
  });
  console.log(`grading for ${new URL(url).host}, isolation: ${setup.isolation.level}`);
  await aborted(signal);
  await worker.close();
  await rm(files, { recursive: true, force: true });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    signal.addEventListener("abort", () => done(), { once: true });
  });
}

/** @throws GraderError */
function redisUrl(text = ""): string {
  if (!URL.canParse(text) || !/^rediss?:$/.test(new URL(text).protocol))
    throw new GraderError(`--redis ${text}: expected redis://[:password@]host[:port], or rediss:// for TLS`);
  return text;
}

/** @throws GraderError when no isolation works */
async function judgeSetup(flags: LimitFlags & BoxFlags, course: JudgeSetup["course"]): Promise<JudgeSetup> {
  const isolation = await chooseIsolation(flags.isolation, { unsafe: flags.unsafe });
  const { memory: memoryBytes, processes, cpus, readable = [] } = flags;
  const limits = { ...limitsOf(flags), box: { ...DEFAULT_LIMITS.box, memoryBytes, processes, cpus } };
  await sweep();
  const image = await openImage().catch(() => undefined);
  return { course, isolation: isolationOf(isolation), limits, warm: 1, readable, image };
}
