/** The command `mlsys-grade`. */
import { Command } from "commander";
import colors from "picocolors";
import { findCourse, Judges, readSource, slugsOf } from "../batch/course.js";
import { mutationTest } from "../batch/mutation.js";
import { validate } from "../batch/validate.js";
import { sharingChecker } from "../checker/place.js";
import { AuthoringError, GraderError, InputError, messageOf } from "../errors.js";
import { DEFAULT_LIMITS } from "../judge/limits.js";
import { gradescopeZip } from "../package/gradescope.js";
import { resultsJsonSchema } from "../report/results.js";
import { mutationAsText, proofsAsText } from "../report/terminal.js";
import { chooseIsolation } from "../sandbox/ladder.js";
import { shutdownAll } from "../session/running.js";
import { SubmitError } from "../submit/client.js";
import { EXIT } from "./exit.js";
import { type GenerateFlags, generate } from "./generate.js";
import { addGradeCommands } from "./grade.js";
import { type CourseFlags, count, ofCourse, seconds } from "./options.js";
import { startProgress } from "./progress.js";
import { addServiceCommands } from "./service.js";
import { addSimilarityCommand } from "./similarity.js";
import { addSubmitCommands } from "./submit.js";

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
    .option(
      "--student-seed <id...>",
      "the releases of these students, with values of their own: exercises/ID/",
    )
    .option("--roster <file>", "the same for all students of a CSV file with a column id")
    .action(async (slugs: string[], flags: GenerateFlags) => finish(await generate(slugs, flags)));

  ofCourse(program.command("validate [slug...]"))
    .description("prove that solution, untouched release and variants get what they should")
    .option("--mutants <n>", "also put so many small mistakes into each task's reference answer", count)
    .option("--cell-timeout <s>", "time for one cell", seconds, DEFAULT_LIMITS.cellMs)
    .action(async (slugs: string[], flags: ProveFlags) => finish(await prove(slugs, flags, signal)));

  addGradeCommands(program, signal, finish);
  addSimilarityCommand(program, finish);
  addServiceCommands(program, signal);
  addSubmitCommands(program, signal);

  ofCourse(program.command("package <slug>"))
    .description("make Gradescope's autograder for an assignment")
    .requiredOption("-o, --output <file>", "the zip file")
    .option("--packages <folder>", "the grader's packages as npm packs them; default: those that run now")
    .action(async (slug: string, flags: CourseFlags & { output: string; packages?: string }) => {
      const course = findCourse(process.cwd(), flags);
      await new Judges(course).get(slug);
      await gradescopeZip(course, slug, flags.output, flags.packages);
      console.log(`wrote ${flags.output}`);
    });

  program
    .command("schema")
    .description("print the JSON schema of --json")
    .action(() => void process.stdout.write(resultsJsonSchema()));
  return program;
}

interface ProveFlags extends CourseFlags {
  mutants?: number;
  cellTimeout: number;
}

async function prove(slugs: string[], flags: ProveFlags, signal: AbortSignal): Promise<number> {
  const course = findCourse(process.cwd(), flags);
  // The author's own code: in the same place as submissions, so that it proves what they will get; unfenced if need be.
  const isolation = await chooseIsolation("auto", { unsafe: true });
  const place = sharingChecker(isolation, DEFAULT_LIMITS.box, { warm: 1 });
  let code: number = EXIT.ok;
  for (const slug of await slugsOf(course, slugs)) {
    const progress = startProgress(slug);
    try {
      const assignment = await readSource(course, slug);
      const limits = { ...DEFAULT_LIMITS, cellMs: flags.cellTimeout, cellCpuMs: flags.cellTimeout * 1.5 };
      const proofs = await validate(assignment, { signal, place, limits, onStart: progress.step });
      progress.stop();
      console.log(proofsAsText(slug, proofs));
      if (flags.mutants !== undefined) {
        const found = await mutationTest(assignment, {
          place,
          most: flags.mutants,
          signal,
          onStart: progress.step,
        });
        progress.stop();
        console.log(mutationAsText(slug, found));
      }
      if (proofs.some((proof) => !proof.ok)) code = EXIT.below;
    } finally {
      progress.stop();
    }
  }
  return code;
}
