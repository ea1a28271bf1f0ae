/** The command `mlsys-grade`. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import colors from "picocolors";
import { generateRelease } from "../assignment/generate.js";
import { type Course, findCourse, Judges, readSource, slugsOf } from "../batch/course.js";
import { checkFile, type FileOptions, isolationOf } from "../batch/grade-file.js";
import { Supervisor } from "../batch/supervisor.js";
import { validate } from "../batch/validate.js";
import { AuthoringError, GraderError, InputError, messageOf } from "../errors.js";
import { DEFAULT_LIMITS } from "../judge/limits.js";
import type { JudgeSetup } from "../judge/messages.js";
import type { Report } from "../judge/report.js";
import { proofsAsText, reportsAsText } from "../report/terminal.js";
import { writeHtml, writeJson } from "../report/write.js";
import { chooseIsolation, NO_ISOLATION } from "../sandbox/ladder.js";
import { sweep } from "../sandbox/process.js";
import { boxes, onJupyter } from "../session/open.js";
import { shutdownAll } from "../session/running.js";
import { SubmitError } from "../submit/client.js";
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
import { startProgress } from "./progress.js";
import { addServiceCommands } from "./service.js";
import { jupyterPlace, type SessionFlags, sessioned } from "./session.js";
import { addSubmitCommands } from "./submit.js";

const EXIT = { ok: 0, below: 1, broken: 2 } as const;

interface GradeFlags extends CourseFlags, LimitFlags {
  assignment?: string;
  json?: string;
  html?: string;
  threshold: number;
}
/** @returns the exit code: 0 all well, 1 something below the mark, 2 wrong usage or a failure of the grader */
export async function main(argv: readonly string[]): Promise<number> {
  let code: number = EXIT.ok;
  const interrupted = new AbortController();
  const stop = () => {
    if (interrupted.signal.aborted) process.exit(130);
    interrupted.abort(new Error("interrupted"));
    void shutdownAll();
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  const program = createProgram(interrupted.signal, (result) => {
    code = result;
  });
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    const known =
      error instanceof InputError ||
      error instanceof AuthoringError ||
      error instanceof GraderError ||
      error instanceof SubmitError;
    process.stderr.write(
      `${colors.red("mlsys-grade:")} ${known ? messageOf(error) : ((error as Error).stack ?? String(error))}\n`,
    );
    code = EXIT.broken;
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
    await shutdownAll();
  }
  return interrupted.signal.aborted ? 130 : code;
}

function createProgram(signal: AbortSignal, finish: (code: number) => void): Command {
  const program = new Command("mlsys-grade")
    .description("Generates, checks and grades exercise notebooks of the mlsys kernel.")
    .showHelpAfterError()
    .exitOverride((error) => {
      // Help and version end well; any other early end is wrong usage.
      process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.broken);
    });
  ofCourse(program.command("generate [slug...]"))
    .description("make exercises/*.ipynb from solutions/*.ipynb")
    .option("--check", "write nothing; fail if a release is stale")
    .action(async (slugs: string[], flags: CourseFlags & { check?: boolean }) =>
      finish(await generate(slugs, flags)),
    );

  ofCourse(program.command("validate [slug...]"))
    .description("prove that solution, untouched release and variants get what they should")
    .action(async (slugs: string[], flags: CourseFlags) => finish(await prove(slugs, flags, signal)));

  sessioned(reported(limited(program.command("check <file...>"))))
    .description("run the visible tests of an exercise, as a learner does")
    .action(async (files: string[], flags: GradeFlags & SessionFlags) => {
      const server = await jupyterPlace(flags);
      const place = server && { isolation: NO_ISOLATION, open: await onJupyter(server) };
      const check: GradeOne = (file, options) => checkFile(file, { ...options, place });
      finish(await gradeAll(files, flags, signal, "checking", check, 100));
    });

  sessioned(reported(boxed(limited(ofCourse(program.command("grade <file...>"))))))
    .description("grade submissions with all tests")
    .option("--assignment <slug>", "assignment of all files; default: what each says")
    .option("--threshold <percent>", "exit 1 if a file gets less", percentage, 0)
    .action(async (files: string[], flags: GradeFlags & BoxFlags & SessionFlags) => {
      const course = findCourse(process.cwd(), flags);
      if (flags.assignment !== undefined) await new Judges(course).get(flags.assignment);
      finish(await gradeSubmissions(files, flags, course, signal));
    });
  addServiceCommands(program, signal);
  addSubmitCommands(program, signal);
  return program;
}

function reported(command: Command): Command {
  return command
    .option("--json <file>", "write all results, for programs and instructors")
    .option("--html <file or folder>", "write feedback for learners");
}

/** Each file in a judge's process, some at once. @throws GraderError when no isolation works */
async function gradeSubmissions(
  files: string[],
  flags: GradeFlags & BoxFlags & SessionFlags,
  course: Course,
  signal: AbortSignal,
): Promise<number> {
  if (flags.session === "jupyter" && !flags.unsafe)
    throw new GraderError(
      "--session jupyter: submissions run unfenced, as whoever runs the server; add --unsafe if that is what you want",
    );
  const server = await jupyterPlace(flags);
  const isolation = server ? NO_ISOLATION : await chooseIsolation(flags.isolation, { unsafe: flags.unsafe });
  if (isolation.level === "uid")
    process.stderr.write(
      `${colors.yellow("isolation uid:")} submissions can read what every user of this machine can, and use the network; keep solutions/ private (chmod 700), or apt install bubblewrap\n`,
    );
  const { memory: memoryBytes, processes, cpus } = flags;
  const limits = { ...limitsOf(flags), box: { ...DEFAULT_LIMITS.box, memoryBytes, processes, cpus } };
  const jobs = Math.min(flags.jobs, files.length);
  const setup: JudgeSetup = {
    course,
    isolation: isolationOf(isolation),
    limits,
    warm: files.length > jobs ? 1 : 0,
    readable: flags.readable ?? [],
    server,
  };
  await sweep();
  const idle = Array.from({ length: jobs }, () => new Supervisor(setup));
  const all = [...idle];
  signal.addEventListener("abort", () => void Promise.all(all.map((supervisor) => supervisor.close())));
  const grade = async (file: string) => {
    const supervisor = idle.pop() as Supervisor;
    try {
      const report = await supervisor.grade(file, flags.assignment);
      // What runs beside a server's other kernels, with the rights of all of them, proves nothing.
      return server ? { ...report, trust: "in-kernel" as const } : report;
    } finally {
      idle.push(supervisor);
    }
  };
  try {
    return await gradeAll(files, flags, signal, "grading", grade, flags.threshold, jobs);
  } finally {
    await Promise.all(all.map((supervisor) => supervisor.close()));
  }
}

async function generate(slugs: string[], flags: CourseFlags & { check?: boolean }): Promise<number> {
  const course = findCourse(process.cwd(), flags);
  let code: number = EXIT.ok;
  for (const slug of await slugsOf(course, slugs)) {
    const release = generateRelease(await readSource(course, slug));
    const path = join(course.exercises, `${slug}.ipynb`);
    const before = await readFile(path, "utf8").catch(() => undefined);
    for (const leak of release.leaks) process.stderr.write(`${colors.red("leak:")} ${slug}: ${leak}\n`);
    if (release.leaks.length > 0) {
      code = EXIT.broken;
    } else if (before === release.text) {
      console.log(`${path} is up to date`);
    } else if (flags.check) {
      process.stderr.write(
        `${path} is ${before === undefined ? "missing" : "stale"}: run mlsys-grade generate ${slug}\n`,
      );
      code = Math.max(code, EXIT.below);
    } else {
      await mkdir(course.exercises, { recursive: true });
      await writeFile(path, release.text);
      console.log(`wrote ${path}`);
    }
  }
  return code;
}

async function prove(slugs: string[], flags: CourseFlags, signal: AbortSignal): Promise<number> {
  const course = findCourse(process.cwd(), flags);
  // The author's own code: in the same place as submissions, so that it proves what they will get; unfenced if need be.
  const isolation = await chooseIsolation("auto", { unsafe: true });
  const open = boxes({ isolation, limits: DEFAULT_LIMITS.box, warm: 1 });
  let code: number = EXIT.ok;
  for (const slug of await slugsOf(course, slugs)) {
    const progress = startProgress(slug);
    try {
      const proofs = await validate(await readSource(course, slug), { signal, open, onStart: progress.step });
      progress.stop();
      console.log(proofsAsText(slug, proofs));
      if (proofs.some((proof) => !proof.ok)) code = EXIT.below;
    } finally {
      progress.stop();
    }
  }
  return code;
}

type GradeOne = (file: string, options: FileOptions) => Promise<Report>;

/** @param jobs files at once; the reports keep the order of the files */
async function gradeAll(
  files: string[],
  flags: GradeFlags,
  signal: AbortSignal,
  what: string,
  grade: GradeOne,
  threshold: number,
  jobs = 1,
): Promise<number> {
  const progress = startProgress(what);
  const found: (Report | undefined)[] = files.map(() => undefined);
  let next = 0;
  let done = 0;
  const work = async () => {
    while (next < files.length && !signal.aborted) {
      const index = next++;
      progress.step(files[index], done, files.length);
      const report = await grade(files[index], { limits: limitsOf(flags) });
      // What was being graded when the user stopped says nothing; what was finished is kept.
      if (!signal.aborted) found[index] = report;
      done++;
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  progress.stop();
  const reports = found.filter((report) => report !== undefined);
  if (reports.length > 0) console.log(reportsAsText(reports));
  if (signal.aborted)
    process.stderr.write(`interrupted: ${reports.length} of ${files.length} files are graded\n`);
  if (flags.json !== undefined) await writeJson(flags.json, reports);
  if (flags.html !== undefined && reports.length > 0) await writeHtml(flags.html, reports);
  return exitCode(reports, threshold);
}

function exitCode(reports: readonly Report[], threshold: number): number {
  if (reports.some((report) => report.status === "grader")) return EXIT.broken;
  const below = reports.some(
    (report) => report.status === "invalid" || report.score * 100 < threshold * report.points,
  );
  return below ? EXIT.below : EXIT.ok;
}
