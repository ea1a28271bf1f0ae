/** `grade`, `check`, `export` and `override`: from submissions to grades. */
import type { Command } from "commander";
import colors from "picocolors";
import { runBatch } from "../batch/batch.js";
import { type Course, findCourse, Judges, readSource } from "../batch/course.js";
import { decided } from "../batch/decisions.js";
import { checkFile, isolationOf } from "../batch/grade-file.js";
import { openInbox } from "../batch/inbox.js";
import { BatchLog } from "../batch/log.js";
import { NO_SETTINGS, readSettings } from "../batch/settings.js";
import { Supervisor } from "../batch/supervisor.js";
import { GraderError, InputError } from "../errors.js";
import { DEFAULT_LIMITS } from "../judge/limits.js";
import type { JudgeSetup } from "../judge/messages.js";
import type { Report } from "../judge/report.js";
import { closeImage, type Image, openImage } from "../sandbox/image.js";
import { chooseIsolation, NO_ISOLATION } from "../sandbox/ladder.js";
import { sweep } from "../sandbox/process.js";
import { type JupyterPlace, onJupyter } from "../session/open.js";
import { EXIT, exitCode } from "./exit.js";
import {
  type BoxFlags,
  boxed,
  type CourseFlags,
  type LimitFlags,
  limited,
  limitsOf,
  ofCourse,
  percentage,
} from "./options.js";
import { checkOutputs, type OutputFlags, withOutputs, writeOutputs } from "./outputs.js";
import { startProgress } from "./progress.js";
import { jupyterPlace, type SessionFlags, sessioned } from "./session.js";

interface CheckFlags extends LimitFlags, OutputFlags, SessionFlags {}

interface GradeFlags extends CourseFlags, CheckFlags, BoxFlags {
  assignment?: string;
  threshold: number;
  log?: string;
  regrade?: string[];
  studentSeed?: string;
}

interface OverrideFlags {
  student: string;
  assignment: string;
  task?: string;
  score?: number;
  comment?: string;
  clear?: boolean;
  by?: string;
}

/** @param finish told the exit code */
export function addGradeCommands(
  program: Command,
  signal: AbortSignal,
  finish: (code: number) => void,
): void {
  sessioned(withOutputs(limited(program.command("check <file...>"))))
    .description("run the visible tests of an exercise, as a learner does")
    .action(async (files: string[], flags: CheckFlags) => finish(await check(files, flags, signal)));

  sessioned(withOutputs(boxed(limited(ofCourse(program.command("grade <path...>"))))))
    .description("grade submissions with all tests: notebooks, folders, zip files")
    .option("--assignment <slug>", "assignment of all files; default: what each says")
    .option("--threshold <percent>", "exit 1 if a file gets less", percentage, 0)
    .option("--log <file>", "keep each result there as it comes, and go on from there another time")
    .option("--student-seed <id>", "whose seeded values the files have, where their folders don't say it")
    .option("--regrade <task...>", "with --log: grade these tasks again")
    .action(async (paths: string[], flags: GradeFlags) => finish(await grade(paths, flags, signal)));

  withOutputs(ofCourse(program.command("export <log>")))
    .description("write the outputs of a log again, with its overrides, without grading")
    .option("--assignment <slug>", "only this assignment")
    .action(async (path: string, flags: CourseFlags & OutputFlags & { assignment?: string }) =>
      finish(await exportLog(path, flags)),
    );

  program
    .command("override <log>")
    .description("decide a task's score, or say something to a learner; kept over every regrade")
    .requiredOption("--student <id>", "whose submission")
    .requiredOption("--assignment <slug>", "of which assignment")
    .option("--task <name>", "one task; without: a comment on the whole")
    .option("--score <points>", "the task's score", Number)
    .option("--comment <text>", "shown to the learner")
    .option("--clear", "take earlier decisions back")
    .option("--by <name>", "who decided")
    .action(async (path: string, flags: OverrideFlags) => finish(await override(path, flags)));
}

async function check(files: string[], flags: CheckFlags, signal: AbortSignal): Promise<number> {
  const server = await jupyterPlace(flags);
  const place = server && { isolation: NO_ISOLATION, open: await onJupyter(server) };
  const progress = startProgress("checking");
  const reports: Report[] = [];
  for (const [index, file] of files.entries()) {
    progress.step(file, index, files.length);
    const report = await checkFile(file, { limits: limitsOf(flags), place });
    if (signal.aborted) break;
    reports.push(report);
  }
  progress.stop();
  await writeOutputs(reports, flags, NO_SETTINGS);
  return exitCode(reports, 100);
}

/** Each file in a judge's process, some at once. @throws GraderError when no isolation works */
async function grade(paths: string[], flags: GradeFlags, signal: AbortSignal): Promise<number> {
  checkOutputs(flags);
  if (flags.regrade && flags.log === undefined)
    throw new InputError("bad-settings", "--regrade needs --log FILE: it goes on from earlier results");
  const course = findCourse(process.cwd(), flags);
  const settings = await readSettings(course);
  if (flags.assignment !== undefined) await new Judges(course).get(flags.assignment);
  const inbox = await openInbox(paths);
  try {
    const log = flags.log === undefined ? BatchLog.inMemory() : await BatchLog.open(flags.log);
    try {
      const found = await gradeItems(inbox.items, log, flags, course, signal);
      const reports = found.map((report) => decided(report, log.overrides, settings));
      if (signal.aborted)
        process.stderr.write(`interrupted: ${reports.length} of ${inbox.items.length} files are graded\n`);
      await writeOutputs(reports, flags, settings);
      return exitCode(reports, flags.threshold);
    } finally {
      await log.close();
    }
  } finally {
    await inbox.close();
  }
}

async function gradeItems(
  items: Parameters<typeof runBatch>[0],
  log: BatchLog,
  flags: GradeFlags,
  course: Course,
  signal: AbortSignal,
): Promise<Report[]> {
  const jobs = Math.max(1, Math.min(flags.jobs, items.length));
  await sweep();
  if (flags.session === "jupyter" && !flags.unsafe)
    throw new GraderError(
      "--session jupyter: submissions run unfenced, as whoever runs the server; add --unsafe if that is what you want",
    );
  const server = await jupyterPlace(flags);
  const image = server ? undefined : await openImage().catch(() => undefined);
  const supervisors = await startSupervisors(jobs, items.length > jobs, flags, course, { image, server });
  const idle = [...supervisors];
  signal.addEventListener("abort", () => void Promise.all(supervisors.map((item) => item.close())));
  const progress = startProgress("grading");
  const sources = new Map<string, ReturnType<typeof readSource>>();
  try {
    return await runBatch(items, {
      log,
      jobs,
      signal,
      regrade: flags.regrade,
      onStep: progress.step,
      assignment: (slug) => {
        const source = sources.get(slug) ?? readSource(course, slug);
        sources.set(slug, source);
        return source;
      },
      grade: async (file, tasks, student) => {
        const supervisor = idle.pop() as Supervisor;
        try {
          const report = await supervisor.grade(file, flags.assignment, tasks, flags.studentSeed ?? student);
          // What runs beside a server's other kernels, with the rights of all of them, proves nothing.
          return server ? { ...report, trust: "in-kernel" as const } : report;
        } finally {
          idle.push(supervisor);
        }
      },
    });
  } finally {
    progress.stop();
    await Promise.all(supervisors.map((supervisor) => supervisor.close()));
    if (image) closeImage(image);
  }
}

async function startSupervisors(
  jobs: number,
  warm: boolean,
  flags: GradeFlags,
  course: Course,
  { image, server }: { image: Image | undefined; server: JupyterPlace | undefined },
): Promise<Supervisor[]> {
  const isolation = server ? NO_ISOLATION : await chooseIsolation(flags.isolation, { unsafe: flags.unsafe });
  if (isolation.level === "uid")
    process.stderr.write(
      `${colors.yellow("isolation uid:")} submissions can read what every user of this machine can, and use the network; keep solutions/ private (chmod 700), or apt install bubblewrap\n`,
    );
  const { memory: memoryBytes, processes, cpus } = flags;
  const limits = { ...limitsOf(flags), box: { ...DEFAULT_LIMITS.box, memoryBytes, processes, cpus } };
  const setup: JudgeSetup = {
    course,
    isolation: isolationOf(isolation),
    limits,
    warm: warm ? 1 : 0,
    readable: flags.readable ?? [],
    image,
    server,
  };
  return Array.from({ length: jobs }, () => new Supervisor(setup));
}

async function exportLog(
  path: string,
  flags: CourseFlags & OutputFlags & { assignment?: string },
): Promise<number> {
  checkOutputs(flags);
  const settings = await readSettings(findCourse(process.cwd(), flags));
  const log = await BatchLog.read(path);
  const reports = log
    .reports()
    .filter(({ assignment }) => flags.assignment === undefined || assignment === flags.assignment)
    .map((report) => decided(report, log.overrides, settings));
  await writeOutputs(reports, flags, settings);
  return exitCode(reports, 0);
}

async function override(path: string, flags: OverrideFlags): Promise<number> {
  const { student, assignment, task, comment, clear, by } = flags;
  const score = clear && task !== undefined ? null : flags.score;
  if (score === undefined && comment === undefined && !clear)
    throw new InputError("bad-settings", "say what is decided: --score, --comment or --clear");
  if (score !== undefined && task === undefined)
    throw new InputError("bad-settings", "--score needs --task NAME: scores are decided task by task");
  if (typeof score === "number" && !(score >= 0 && Number.isFinite(score)))
    throw new InputError("bad-settings", "--score: expected a number of points, 0 or more");
  await BatchLog.read(path);
  const log = await BatchLog.open(path);
  try {
    const mine = log
      .reports()
      .find((report) => report.student === student && report.assignment === assignment);
    if (!mine)
      throw new InputError("missing", `${path}: holds no submission of ${student} for ${assignment}`);
    if (task !== undefined && !mine.tasks.some(({ name }) => name === task))
      throw new InputError(
        "bad-settings",
        `there is no task "${task}"; ${assignment} has ${mine.tasks.map(({ name }) => name).join(", ")}`,
      );
    await log.append({
      type: "override",
      student,
      assignment,
      ...(task === undefined ? {} : { task }),
      ...(score === undefined ? {} : { score }),
      ...(clear ? { comment: null } : comment === undefined ? {} : { comment }),
      ...(by === undefined ? {} : { by }),
      at: new Date().toISOString(),
    });
  } finally {
    await log.close();
  }
  return EXIT.ok;
}
