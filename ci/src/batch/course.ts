/** A course on disk: where its sources and releases are, and which assignment a handed-in file belongs to. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { type Assignment, readAssignment } from "../assignment/assignment.js";
import { InputError } from "../errors.js";
import { type Judge, prepareJudge } from "../judge/grade.js";
import { claimedAssignment } from "../judge/submission.js";
import { type Notebook, readRegularFile } from "../notebook/format.js";

export interface Course {
  solutions: string;
  exercises: string;
}

/** The course around `start`: the nearest folder upwards with `solutions/` in it. @throws InputError */
export function findCourse(start: string, given: Partial<Course> = {}): Course {
  if (given.solutions !== undefined) {
    const solutions = resolve(given.solutions);
    if (!existsSync(solutions)) throw new InputError("missing", `${solutions}: there is no such folder`);
    return { solutions, exercises: resolve(given.exercises ?? join(solutions, "..", "exercises")) };
  }
  for (let folder = resolve(start); ; folder = dirname(folder)) {
    const solutions = join(folder, "solutions");
    if (existsSync(solutions))
      return { solutions, exercises: resolve(given.exercises ?? join(folder, "exercises")) };
    if (dirname(folder) === folder) break;
  }
  throw new InputError(
    "missing",
    `no folder "solutions" in ${resolve(start)} or above: go to the course, or name it with --solutions`,
  );
}

/** Slugs of the course's assignments, or the wanted ones. @throws InputError for one that does not exist */
export async function slugsOf(course: Course, wanted: readonly string[] = []): Promise<string[]> {
  const files = (await readdir(course.solutions)).filter(
    (name) => name.endsWith(".ipynb") && !name.startsWith("."),
  );
  const known = files.map((name) => name.slice(0, -".ipynb".length)).sort();
  for (const slug of wanted) {
    if (!known.includes(slug)) throw unknown(slug, known);
  }
  return wanted.length > 0 ? [...wanted] : known;
}

export function readSource(course: Course, slug: string): Promise<Assignment> {
  return readAssignment(join(course.solutions, `${slug}.ipynb`));
}

/** Judges of a course, each prepared once. */
export class Judges {
  private readonly ready = new Map<string, Promise<Judge>>();

  constructor(private readonly course: Course) {}

  get(slug: string): Promise<Judge> {
    let judge = this.ready.get(slug);
    if (!judge) {
      judge = slugsOf(this.course, [slug])
        .then(() => readSource(this.course, slug))
        .then((assignment) => prepareJudge(assignment));
      this.ready.set(slug, judge);
    }
    return judge;
  }

  /**
   * The assignment of a handed-in notebook: what its metadata says, else its file name.
   * @throws InputError when neither is known
   */
  async slugFor(notebook: Notebook, file: string): Promise<string> {
    const known = await slugsOf(this.course);
    const claims = [claimedAssignment(notebook), basename(file, ".ipynb")].filter(
      (claim) => claim !== undefined,
    );
    const slug = claims.find((claim) => known.includes(claim));
    if (slug === undefined)
      throw new InputError("unknown-assignment", `${file}: ${unknown(claims[0], known).message}`);
    return slug;
  }
}

export async function sha256(file: string): Promise<string | undefined> {
  try {
    return createHash("sha256")
      .update(await readRegularFile(file))
      .digest("hex");
  } catch {
    return undefined;
  }
}

function unknown(slug: string, known: readonly string[]): InputError {
  return new InputError(
    "unknown-assignment",
    `there is no assignment ${JSON.stringify(slug.slice(0, 80))}; the course has: ${known.join(", ") || "none"}`,
  );
}
