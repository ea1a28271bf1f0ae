/**
 * Variants: other answers to a task, wrong or right, each with what it must score. They prove that the tests of an
 * assignment tell right from wrong.
 */
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AuthoringError } from "../errors.js";
import type { Assignment, Task } from "./assignment.js";

export interface Variant {
  task: string;
  /** File name without its extension. */
  name: string;
  path: string;
  /** Points that it must get. */
  score: number;
  correct: boolean;
  /** The exact set of tests that must not pass, where the author gave it. */
  fails?: string[];
  why?: string;
  /** Sources by grade_id of the answer cell. */
  answers: Map<string, string>;
}

/** Enough variants prove something: fewer are an error of `validate`. */
export const REQUIRED = { wrong: 2, correct: 1 };

export function variantsFolder(assignment: Assignment): string {
  return join(dirname(assignment.path), `${assignment.slug}.variants`);
}

/** All variants in order of task and name. @throws AuthoringError naming file and mistake */
export async function readVariants(assignment: Assignment): Promise<Variant[]> {
  const folder = variantsFolder(assignment);
  const names = await readdir(folder).catch(() => [] as string[]);
  for (const name of names) {
    if (!name.startsWith(".") && !assignment.tasks.some((task) => task.name === name)) {
      throw new AuthoringError(
        `${join(folder, name)}: there is no task "${name}" (tasks: ${assignment.tasks.map((t) => t.name).join(", ")})`,
      );
    }
  }
  const variants: Variant[] = [];
  for (const task of assignment.tasks) {
    const files = await readdir(join(folder, task.name)).catch(() => [] as string[]);
    for (const file of files.filter((name) => name.endsWith(".ts")).sort()) {
      const path = join(folder, task.name, file);
      variants.push(parseVariant(await readFile(path, "utf8"), task, path, file.slice(0, -3)));
    }
  }
  return variants;
}

/** @throws AuthoringError */
export function parseVariant(text: string, task: Task, path: string, name: string): Variant {
  const bad = (message: string) => new AuthoringError(`${path}: ${message}`);
  const header = new Map<string, string>();
  const lines = text.split("\n");
  let start = 0;
  for (; start < lines.length; start++) {
    const match = /^\/\/ (expect|fails|why): (.+)$/.exec(lines[start]);
    if (!match) break;
    header.set(match[1], match[2].trim());
  }
  const expect = header.get("expect");
  if (expect === undefined)
    throw bad('the first line must be "// expect: correct" or "// expect: wrong S/P"');
  const wrong = /^wrong (\d+(?:\.\d+)?)\/(\d+(?:\.\d+)?)$/.exec(expect);
  if (!wrong && expect !== "correct")
    throw bad(`"// expect: ${expect}" is neither "correct" nor "wrong S/P"`);
  if (wrong && Number(wrong[2]) !== task.points)
    throw bad(`says ${wrong[2]} points, task "${task.name}" has ${task.points}`);
  if (wrong && Number(wrong[1]) >= task.points)
    throw bad("a wrong variant that gets full marks is no wrong variant");
  const fails = header
    .get("fails")
    ?.split(" | ")
    .map((part) => part.trim());
  return {
    task: task.name,
    name,
    path,
    correct: !wrong,
    score: wrong ? Number(wrong[1]) : task.points,
    fails,
    why: header.get("why"),
    answers: splitAnswers(lines.slice(start), task, bad),
  };
}

function splitAnswers(lines: string[], task: Task, bad: (message: string) => Error): Map<string, string> {
  const parts = new Map<string, string[]>();
  let current = task.answers.length === 1 ? task.answers[0].gradeId : undefined;
  for (const line of lines) {
    const match = /^\/\/ cell: ([A-Za-z0-9_-]+)\s*$/.exec(line);
    if (match) {
      current = match[1];
      if (!task.answers.some((cell) => cell.gradeId === current))
        throw bad(`task "${task.name}" has no answer cell "${current}"`);
    } else if (current !== undefined) {
      parts.set(current, [...(parts.get(current) ?? []), line]);
    } else if (line.trim() !== "") {
      throw bad(
        `task "${task.name}" has ${task.answers.length} answer cells: start each part with "// cell: <grade_id>"`,
      );
    }
  }
  const answers = new Map(
    [...parts]
      .map(([id, part]) => [id, part.join("\n").trim()] as const)
      .filter(([, source]) => source !== ""),
  );
  for (const cell of task.answers) {
    if (!answers.has(cell.gradeId)) throw bad(`no source for the answer cell "${cell.gradeId}"`);
  }
  return answers;
}
