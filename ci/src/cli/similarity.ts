/** `similarity`: which submissions of an assignment look like each other. */
import type { Command } from "commander";
import { generateRelease } from "../assignment/generate.js";
import { findCourse, Judges, readSource } from "../batch/course.js";
import { openInbox } from "../batch/inbox.js";
import { InputError } from "../errors.js";
import { submissionOf } from "../judge/submission.js";
import { readNotebook } from "../notebook/format.js";
import { printable } from "../report/terminal.js";
import { replaceFile } from "../report/write.js";
import { type Answers, similarPairs } from "../similarity/compare.js";
import { similarityPage } from "../similarity/page.js";
import { EXIT } from "./exit.js";
import { type CourseFlags, ofCourse, percentage } from "./options.js";

interface SimilarityFlags extends CourseFlags {
  assignment: string;
  threshold: number;
  json?: string;
  html?: string;
}

export function addSimilarityCommand(program: Command, finish: (code: number) => void): void {
  ofCourse(program.command("similarity <path...>"))
    .description("find submissions that look like each other, whatever was renamed in them")
    .requiredOption("--assignment <slug>", "of which assignment")
    .option("--threshold <percent>", "pairs that share at least so much", percentage, 50)
    .option("--json <file>", "write all pairs with the lines that they share")
    .option("--html <file>", "write the pairs side by side")
    .action(async (paths: string[], flags: SimilarityFlags) => finish(await similarity(paths, flags)));
}

async function similarity(paths: string[], flags: SimilarityFlags): Promise<number> {
  const course = findCourse(process.cwd(), flags);
  await new Judges(course).get(flags.assignment);
  const assignment = await readSource(course, flags.assignment);
  const inbox = await openInbox(paths);
  const submissions: Answers[] = [];
  let unread = 0;
  try {
    for (const { file, name, student, refused } of inbox.items) {
      try {
        if (refused) throw new InputError(refused.problem, refused.message);
        const { answers } = submissionOf(await readNotebook(file), assignment, name);
        submissions.push({ name, student, answers });
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        unread++;
        process.stderr.write(`left out: ${printable(error.message).replaceAll("\n", " ")}\n`);
      }
    }
  } finally {
    await inbox.close();
  }
  const given = generateRelease(assignment).notebook.cells.map((cell) =>
    cell.type === "code" ? cell.source : "",
  );
  const pairs = similarPairs(submissions, { given, threshold: flags.threshold / 100 });
  for (const { left, right, similarity, matches } of pairs)
    console.log(
      printable(
        `${(similarity * 100).toFixed(0).padStart(3)} %  ${left.name}  ${right.name}  (${matches.map(({ gradeId }) => gradeId).join(", ")})`,
      ).replaceAll("\n", " "),
    );
  console.log(
    `${submissions.length} submissions, ${pairs.length} pairs alike${unread > 0 ? `, ${unread} left out` : ""}`,
  );
  if (flags.json !== undefined)
    await replaceFile(
      flags.json,
      `${JSON.stringify({ version: 1, assignment: assignment.slug, pairs }, null, 2)}\n`,
    );
  if (flags.html !== undefined)
    await replaceFile(flags.html, similarityPage(assignment.title, pairs, submissions));
  return EXIT.ok;
}
