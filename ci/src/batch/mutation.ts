/** Mutation testing of an assignment: which small mistakes in the reference answers do no test notice? */
import { type Assignment, folderOf, type Task } from "../assignment/assignment.js";
import { type Mutant, mutantsOf } from "../assignment/mutants.js";
import { gradeSubmission, prepareJudge } from "../judge/grade.js";
import { DEFAULT_LIMITS, type GradeLimits } from "../judge/limits.js";
import { rng } from "../kit/rng.js";
import type { Place } from "./grade-file.js";

export interface MutationOptions {
  /** Where the mutants run: some of them never end. */
  place: Place;
  /** Mutants of a task at most; chosen at random, the same each time. */
  most: number;
  onStart?: (name: string, done: number, total: number) => void;
  signal?: AbortSignal;
}

export interface TaskMutation {
  task: string;
  /** That ran; others do not compile. */
  ran: number;
  killed: number;
  /** For the author to look at: a test is missing, or the change makes no difference. */
  survivors: { gradeId: string; mutant: Mutant }[];
}

/** A mutant that loops is found out soon. */
const LIMITS: GradeLimits = {
  ...DEFAULT_LIMITS,
  callMs: 5_000,
  callCpuMs: 2_000,
  cellMs: 10_000,
  cellCpuMs: 5_000,
  notebookMs: 60_000,
  restarts: 2,
};

export async function mutationTest(
  assignment: Assignment,
  { place, most, onStart, signal }: MutationOptions,
): Promise<TaskMutation[]> {
  const judge = await prepareJudge(assignment);
  const folder = folderOf(assignment);
  const chosen = assignment.tasks.map((task) => ({ task, mutants: choose(task, most) }));
  const total = chosen.reduce((sum, { mutants }) => sum + mutants.length, 0);
  const found: TaskMutation[] = [];
  let done = 0;
  for (const { task, mutants } of chosen) {
    const result: TaskMutation = { task: task.name, ran: 0, killed: 0, survivors: [] };
    for (const { gradeId, mutant } of mutants) {
      signal?.throwIfAborted();
      onStart?.(`${task.name}: ${mutant.change}`, done++, total);
      const answers = new Map(
        assignment.tasks.flatMap(({ answers }) =>
          answers.map((cell) => [cell.gradeId, cell.source] as const),
        ),
      );
      answers.set(gradeId, mutant.source);
      const [report] = await gradeSubmission(
        judge,
        { answers, notes: [] },
        { open: place.open(folder), checker: place.checker?.(folder), limits: LIMITS, tasks: [task.name] },
      );
      if (report.cells.some(({ status }) => status === "compile")) continue;
      result.ran++;
      if (report.score < report.points) result.killed++;
      else result.survivors.push({ gradeId, mutant });
    }
    found.push(result);
  }
  return found;
}

function choose(task: Task, most: number): { gradeId: string; mutant: Mutant }[] {
  const all = task.answers.flatMap(({ gradeId, source }) =>
    mutantsOf(source).map((mutant) => ({ gradeId, mutant })),
  );
  if (all.length <= most) return all;
  const order = new Map(all.map((one, index) => [one, index]));
  const some = rng(`mutants of ${task.name}`)
    .shuffle([...all])
    .slice(0, most);
  return some.sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0));
}
