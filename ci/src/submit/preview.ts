/** What would be handed in: which answers a saved notebook holds, and what about them looks unintended. */
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { assignmentOf } from "../assignment/assignment.js";
import { AuthoringError, InputError } from "../errors.js";
import { claimedAssignment } from "../judge/submission.js";
import { type Notebook, parseNotebook, readRegularFile } from "../notebook/format.js";
import { checksum, nbgraderOf } from "../notebook/nbgrader.js";

export interface Answer {
  gradeId: string;
  /** Of its task. */
  title: string;
  /** `untouched`: as the exercise was given out. */
  state: "answered" | "untouched" | "empty";
  lines: number;
}

export interface Preview {
  /** The file's name, without its folder. */
  file: string;
  bytes: Buffer;
  sha256: string;
  /** Seconds since it was saved. */
  savedAgo: number;
  /** Of the assignment that the notebook says it belongs to, else the file's name. */
  assignment: string;
  title: string;
  answers: Answer[];
  /** Things to look at before sending. */
  warnings: string[];
}

/** A saved file that is so old may lack what was typed since. */
const STALE_S = 120;

/** @throws InputError when the file is no exercise */
export async function previewOf(path: string): Promise<Preview> {
  const bytes = await readRegularFile(path);
  const file = basename(path);
  const notebook = parseNotebook(bytes.toString("utf8"), file);
  const savedAgo = Math.max(0, Math.round((Date.now() - (await stat(path)).mtimeMs) / 1000));
  const { title, answers } = answersOf(notebook, file);
  const untouched = answers.filter(({ state }) => state !== "answered").length;
  const warnings = [
    ...(untouched > 0
      ? [`${untouched} of ${answers.length} answers are as they were given out, or empty`]
      : []),
    ...(savedAgo > STALE_S
      ? [
          `the file was saved ${ago(savedAgo)}: if you have changed it since, save it (Ctrl+S) and start again`,
        ]
      : []),
  ];
  return {
    file,
    bytes,
    sha256: createHash("sha256").update(bytes).digest("hex"),
    savedAgo,
    assignment: claimedAssignment(notebook) ?? file.replace(/\.ipynb$/i, ""),
    title,
    answers,
    warnings,
  };
}

/** "3 minutes ago" */
export function ago(seconds: number): string {
  if (seconds < 60) return `${seconds} s ago`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min ago`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h ago` : `${Math.round(hours / 24)} days ago`;
}

function answersOf(notebook: Notebook, file: string): { title: string; answers: Answer[] } {
  const changed = new Map<string, boolean>();
  for (const [index, cell] of notebook.cells.entries()) {
    const metadata = nbgraderOf(cell, `cell ${index + 1}`);
    if (metadata?.checksum) changed.set(metadata.grade_id, metadata.checksum !== checksum(cell, metadata));
  }
  const assignment = readClaims(() =>
    // What the notebook says of its assignment is the service's to judge.
    assignmentOf({ ...notebook, metadata: { ...notebook.metadata, mlsys: undefined } }, file),
  );
  const answers = assignment.tasks.flatMap((task) =>
    task.answers.map(({ gradeId, source }): Answer => {
      const lines = source.trim() === "" ? 0 : source.trim().split("\n").length;
      const state = lines === 0 ? "empty" : changed.get(gradeId) === false ? "untouched" : "answered";
      return { gradeId, title: task.title, state, lines };
    }),
  );
  if (answers.length === 0)
    throw new InputError("missing-answers", `${file}: holds no answer cells: it is not an exercise`);
  const own = notebook.metadata.mlsys as { title?: unknown } | undefined;
  return { title: typeof own?.title === "string" ? own.title : assignment.title, answers };
}

function readClaims<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof AuthoringError) throw new InputError("not-a-notebook", error.message);
    throw error;
  }
}
