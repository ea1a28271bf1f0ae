/** An assignment: what an instructor's notebook says about tasks, points and tests, checked for mistakes. */
import { basename, dirname, resolve } from "node:path";
import { AuthoringError } from "../errors.js";
import { type Cell, type Notebook, readNotebook } from "../notebook/format.js";
import { cutSolutions, dropStubLines, hasHiddenTests, hasSolution } from "../notebook/markers.js";
import { type CellKind, kindOf, type NbgraderMetadata, nbgraderOf } from "../notebook/nbgrader.js";

export interface GivenCell {
  kind: "given";
  gradeId: string;
  source: string;
}
export interface AnswerCell {
  kind: "answer";
  gradeId: string;
  task: string;
  /** The reference answer in a solution notebook, whatever stands there in a released one. */
  source: string;
  /** What a learner starts from. */
  stub: string;
}
export interface TestCell {
  kind: "test";
  gradeId: string;
  task: string;
  points: number;
  source: string;
}
export type AssignmentCell = GivenCell | AnswerCell | TestCell;

export interface Task {
  name: string;
  /** From 1, in order of appearance. */
  number: number;
  title: string;
  points: number;
  answers: AnswerCell[];
  tests: TestCell[];
}

export interface Assignment {
  slug: string;
  title: string;
  /** The notebook that it was read from: imports resolve from its folder. */
  path: string;
  notebook: Notebook;
  cells: AssignmentCell[];
  tasks: Task[];
  points: number;
  /** Cells that a person grades: not counted in `points`. */
  manual: { gradeId: string; points: number }[];
}

/** @throws InputError or AuthoringError */
export async function readAssignment(path: string): Promise<Assignment> {
  return assignmentOf(await readNotebook(path), resolve(path));
}

/** @throws AuthoringError naming the cell and the mistake */
export function assignmentOf(notebook: Notebook, path: string): Assignment {
  const fileSlug = basename(path, ".ipynb");
  const own = (notebook.metadata.mlsys ?? {}) as { assignment?: unknown; title?: unknown };
  const slug = own.assignment === undefined ? fileSlug : String(own.assignment);
  if (slug !== fileSlug)
    throw new AuthoringError(
      `${path}: metadata.mlsys.assignment is "${slug}", the file says "${fileSlug}": make them equal`,
    );
  const cells: AssignmentCell[] = [];
  const manual: Assignment["manual"] = [];
  const titles = new Map<string, string>();
  const ids = new Map<string, number>();

  notebook.cells.forEach((cell, index) => {
    const where = `${basename(path)}, cell ${index + 1}`;
    const metadata = nbgraderOf(cell, where);
    const kind = metadata && kindOf(cell, metadata, where);
    checkRegions(cell, kind, where);
    const task = taskOf(cell);
    if (cell.type === "markdown" && task !== undefined && !titles.has(task))
      titles.set(task, headingOf(cell.source) ?? task);
    if (!metadata) return;
    const before = ids.get(metadata.grade_id);
    if (before !== undefined)
      throw new AuthoringError(`${where}: grade_id "${metadata.grade_id}" is already used by cell ${before}`);
    ids.set(metadata.grade_id, index + 1);
    if (kind === "manual") manual.push({ gradeId: metadata.grade_id, points: metadata.points ?? 0 });
    else if (kind !== undefined) cells.push(cellOf(cell, kind, metadata, task, where));
  });

  const tasks = tasksOf(cells, titles, basename(path));
  const points = tasks.reduce((sum, task) => sum + task.points, 0);
  return {
    slug,
    title: typeof own.title === "string" ? own.title : slug,
    path,
    notebook,
    cells,
    tasks,
    points,
    manual,
  };
}

/** The folder from which the imports of an assignment resolve. */
export function folderOf(assignment: Assignment): string {
  return dirname(assignment.path);
}

function cellOf(
  cell: Cell,
  kind: Exclude<CellKind, "manual">,
  metadata: NbgraderMetadata,
  task: string | undefined,
  where: string,
): AssignmentCell {
  const gradeId = metadata.grade_id;
  if (kind === "given") return { kind, gradeId, source: cell.source };
  if (task === undefined)
    throw new AuthoringError(`${where} (${gradeId}): an ${kind} cell needs metadata.mlsys.task`);
  if (kind === "answer") {
    return {
      kind,
      gradeId,
      task,
      source: dropStubLines(cell.source),
      stub: cutSolutions(cell.source, `${where} (${gradeId})`),
    };
  }
  return { kind, gradeId, task, points: metadata.points ?? 0, source: cell.source };
}

function checkRegions(cell: Cell, kind: CellKind | undefined, where: string): void {
  if (hasSolution(cell.source) && kind !== "answer" && kind !== "manual") {
    throw new AuthoringError(`${where}: a solution region outside an answer cell would be released`);
  }
  if (hasHiddenTests(cell.source) && kind !== "test") {
    throw new AuthoringError(`${where}: hidden tests outside a test cell would be released`);
  }
}

function tasksOf(cells: AssignmentCell[], titles: Map<string, string>, where: string): Task[] {
  const tasks = new Map<string, Task>();
  for (const cell of cells) {
    if (cell.kind === "given") continue;
    let task = tasks.get(cell.task);
    if (!task) {
      task = {
        name: cell.task,
        number: tasks.size + 1,
        title: titles.get(cell.task) ?? cell.task,
        points: 0,
        answers: [],
        tests: [],
      };
      tasks.set(cell.task, task);
    }
    if (cell.kind === "answer") task.answers.push(cell);
    else {
      task.tests.push(cell);
      task.points += cell.points;
    }
  }
  for (const task of tasks.values()) {
    if (task.tests.length === 0) throw new AuthoringError(`${where}: task "${task.name}" has no test cell`);
    if (task.answers.length === 0)
      throw new AuthoringError(`${where}: task "${task.name}" has no answer cell`);
  }
  return [...tasks.values()];
}

function taskOf(cell: Cell): string | undefined {
  const own = cell.metadata.mlsys as { task?: unknown } | undefined;
  return typeof own?.task === "string" ? own.task : undefined;
}

function headingOf(markdown: string): string | undefined {
  return /^#{1,6}\s+(.+?)\s*#*$/m.exec(markdown)?.[1];
}
