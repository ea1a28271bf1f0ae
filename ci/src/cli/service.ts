/** `serve` and `people`: the service that a course hands in to, and who may. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { findCourse } from "../batch/course.js";
import { isolationOf } from "../batch/grade-file.js";
import { GraderError, InputError } from "../errors.js";
import { DEFAULT_LIMITS } from "../judge/limits.js";
import type { JudgeSetup } from "../judge/messages.js";
import { printable } from "../report/terminal.js";
import { chooseIsolation } from "../sandbox/ladder.js";
import { sweep } from "../sandbox/process.js";
import { Catalog } from "../service/catalog.js";
import { Database } from "../service/database.js";
import { FleetWorker } from "../service/fleet-worker.js";
import type { Keep } from "../service/gradebook.js";
import { BoxGrader } from "../service/grader.js";
import { People, type Person } from "../service/people.js";
import { LocalQueue } from "../service/queue.js";
import { RedisQueue } from "../service/redis-queue.js";
import { readRoster } from "../service/roster.js";
import { RunningService } from "../service/service.js";
import {
  type BoxFlags,
  boxed,
  type CourseFlags,
  count,
  type LimitFlags,
  limited,
  limitsOf,
  megabytes,
  ofCourse,
} from "./options.js";

const FOLDER = ".mlsys/service";

interface ServeFlags extends CourseFlags, LimitFlags, BoxFlags {
  data: string;
  host: string;
  port: number;
  publicUrl?: string;
  name: string;
  maxUpload: number;
  perHour: number;
  keep: Keep;
  pick?: string;
  redis?: string;
}
interface WorkerFlags extends CourseFlags, LimitFlags, BoxFlags {
  redis: string;
}

export function addServiceCommands(program: Command, signal: AbortSignal): void {
  const data = (command: Command) =>
    command.option("--data <folder>", "where the service keeps everything", FOLDER);

  data(boxed(limited(ofCourse(program.command("serve")))))
    .description("run the service that learners hand in to")
    .option(
      "--host <address>",
      "listen there; anything but this machine's own wants a proxy with TLS",
      "127.0.0.1",
    )
    .option("--port <n>", "listen there", port, 8080)
    .option("--public-url <url>", "the address that learners type, if a proxy stands before the service")
    .option("--name <course>", "shown on every page", "Course")
    .option("--max-upload <MiB>", "size of a notebook", megabytes, 8 * 1024 * 1024)
    .option("--per-hour <n>", "submissions of one person for one assignment", count, 10)
    .addOption(
      new Option("--keep <which>", "submission that counts").choices(["best", "latest"]).default("best"),
    )
    .option(
      "--pick <folder>",
      "holds a folder of notebooks for each person, to pick from instead of uploading",
    )
    .option("--redis <url>", "have workers on other machines grade (mlsys-grade worker), through this Redis")
    .action((flags: ServeFlags) => serve(flags, signal));

  boxed(limited(ofCourse(program.command("worker"))))
    .description("grade for a service on another machine")
    .requiredOption("--redis <url>", "the service's Redis: redis://:password@host:6379")
    .action((flags: WorkerFlags) => work(flags, signal));

  const people = program.command("people").description("who may hand in to the service, and their tokens");
  data(people.command("add <id>"))
    .description("add a person, or change one; prints the token of a new one")
    .option("--name <name>", "default: the id")
    .option("--email <address>", "", "")
    .option("--instructor", "sees everyone's submissions and the gradebook")
    .action((id: string, { data, name = id, email, instructor }: PersonFlags & DataFlag) =>
      withPeople(data, (all) => {
        const token = all.put({ id, name, email, role: instructor ? "instructor" : "student" });
        console.log(token ?? `${printable(id)} is changed; the token stays`);
      }),
    );
  data(people.command("import <roster>"))
    .description("add the people of a CSV file (id,name,email,role); prints id,token of each new one as CSV")
    .action(async (file: string, { data }: DataFlag) => {
      const roster = readRoster(await readFile(file, "utf8"), file);
      withPeople(data, (all) => {
        for (const person of roster) {
          const token = all.put(person);
          if (token !== undefined) console.log(`${person.id},${token}`);
        }
      });
    });
  data(people.command("list"))
    .description("print everybody")
    .action(({ data }: DataFlag) =>
      withPeople(data, (all) => {
        for (const { id, name, email, role } of all.all())
          console.log(printable([id, role, name, email].join("\t")));
      }),
    );
  data(people.command("renew <id>"))
    .description("give a person a new token; the old one and all sign-ins end")
    .action((id: string, { data }: DataFlag) => withPeople(data, (all) => console.log(all.renew(id))));
  data(people.command("close <id>"))
    .description("turn a person away; what was handed in stays")
    .action((id: string, { data }: DataFlag) => withPeople(data, (all) => all.close(id)));
}

interface DataFlag {
  data: string;
}
interface PersonFlags extends Pick<Person, "email"> {
  name?: string;
  instructor?: boolean;
}

/** Serves until it is told to end. */
async function serve(flags: ServeFlags, signal: AbortSignal): Promise<void> {
  const course = findCourse(process.cwd(), flags);
  const catalog = await Catalog.read(course);
  const { redis } = flags;
  const log = (message: string) => void process.stderr.write(`${printable(message)}\n`);
  const setup = redis === undefined ? await judgeSetup(flags, course) : undefined;
  const { jobs, maxUpload: maxBytes, perHour, keep, publicUrl, name, pick } = flags;
  if (publicUrl !== undefined && !URL.canParse(publicUrl))
    throw new GraderError(`--public-url ${publicUrl}: expected an address like https://grade.example.org`);
  const running = await RunningService.open({
    folder: resolve(flags.data),
    catalog,
    courseName: name,
    maxBytes,
    perHour,
    perMinute: 300,
    signInsPerMinute: 20,
    keep,
    publicUrl,
    shelf: pick === undefined ? undefined : resolve(pick),
    makeQueue: (submissions, board) =>
      setup
        ? new LocalQueue(submissions, board, new BoxGrader(setup, catalog), jobs)
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
async function work(flags: WorkerFlags, signal: AbortSignal): Promise<void> {
  const url = redisUrl(flags.redis);
  const course = findCourse(process.cwd(), flags);
  const catalog = await Catalog.read(course);
  const setup = await judgeSetup(flags, course);
  const worker = new FleetWorker({
    url,
    grader: new BoxGrader(setup, catalog),
    digest: (slug) => catalog.digest(slug),
    jobs: flags.jobs,
    log: (message) => console.log(printable(message)),
  });
  console.log(`grading for ${new URL(url).host}, isolation: ${setup.isolation.level}`);
  await aborted(signal);
  await worker.close();
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
  return { course, isolation: isolationOf(isolation), limits, warm: 1, readable };
}

function withPeople(folder: string, work: (people: People) => void): void {
  const database = Database.open(resolve(folder));
  try {
    work(new People(database));
  } finally {
    database.close();
  }
}

function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535)
    throw new InputError("unreadable", `--port ${text}: expected a number from 0 to 65535`);
  return value;
}
