/** `generate`: releases from sources, for everybody or for each student. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import colors from "picocolors";
import type { Assignment } from "../assignment/assignment.js";
import { generateRelease } from "../assignment/generate.js";
import { isSeeded } from "../assignment/seeded.js";
import { findCourse, readSource, slugsOf } from "../batch/course.js";
import { InputError } from "../errors.js";
import { readRoster } from "../service/roster.js";
import { EXIT } from "./exit.js";
import type { CourseFlags } from "./options.js";

export interface GenerateFlags extends CourseFlags {
  check?: boolean;
  studentSeed?: string[];
  roster?: string;
}

/** @returns the exit code */
export async function generate(slugs: string[], flags: GenerateFlags): Promise<number> {
  const course = findCourse(process.cwd(), flags);
  const students = await studentsOf(flags);
  let code: number = EXIT.ok;
  for (const slug of await slugsOf(course, slugs)) {
    const assignment = await readSource(course, slug);
    if (students && !isSeeded(assignment)) {
      console.log(`${slug} is the same for all students: it has no seeded values`);
      continue;
    }
    for (const student of students ?? [undefined]) {
      const path = join(course.exercises, ...(student === undefined ? [] : [student]), `${slug}.ipynb`);
      code = Math.max(code, await release(assignment, path, flags.check === true, student));
    }
  }
  return code;
}

async function release(
  assignment: Assignment,
  path: string,
  check: boolean,
  student: string | undefined,
): Promise<number> {
  const { slug, text, leaks } = generateRelease(assignment, student);
  const before = await readFile(path, "utf8").catch(() => undefined);
  for (const leak of leaks) process.stderr.write(`${colors.red("leak:")} ${slug}: ${leak}\n`);
  if (leaks.length > 0) return EXIT.broken;
  if (before === text) {
    console.log(`${path} is up to date`);
    return EXIT.ok;
  }
  if (check) {
    const state = before === undefined ? "missing" : "stale";
    process.stderr.write(`${path} is ${state}: run mlsys-grade generate ${slug}\n`);
    return EXIT.below;
  }
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  console.log(`wrote ${path}`);
  return EXIT.ok;
}

/** Names of folders on every system, and no way out of one. */
const FOLDER = /^[\p{L}\p{N}_@+-][\p{L}\p{N}_.@+-]*$/u;

async function studentsOf({ studentSeed, roster }: GenerateFlags): Promise<string[] | undefined> {
  if (studentSeed === undefined && roster === undefined) return undefined;
  const people = roster === undefined ? [] : readRoster(await readText(roster), roster);
  const ids = [
    ...(studentSeed ?? []),
    ...people.filter(({ role }) => role === "student").map(({ id }) => id),
  ];
  for (const id of ids)
    if (!FOLDER.test(id))
      throw new InputError("bad-settings", `student ${JSON.stringify(id)}: this can't be a folder's name`);
  return [...new Set(ids)];
}

function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new InputError("missing", `${path}: can't be read (${error.code})`);
  });
}
