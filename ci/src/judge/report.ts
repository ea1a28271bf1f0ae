/** What grading a submission found. Plain data: every output format is made from it. */
import { z } from "zod";
import { LEVELS } from "../sandbox/command.js";

const points = z.number().nonnegative();
/** JSON has no other way to say these. */
const plainNumber = z.union([z.number(), z.enum(["NaN", "Infinity", "-Infinity"])]);

export const testReportSchema = z.object({
  name: z.string(),
  hidden: z.boolean(),
  status: z.enum([
    "passed",
    "failed",
    "error",
    "timeout",
    "oom",
    "exit",
    "protocol",
    "limit",
    "compile",
    "grader",
  ]),
  score: points,
  points,
  hint: z.string().optional(),
  message: z.string().optional(),
  comparison: z
    .object({
      got: z.string(),
      expected: z.string(),
      /** Where both are numbers of one shape; row-major. */
      numbers: z
        .object({ shape: z.array(z.number()), got: z.array(plainNumber), expected: z.array(plainNumber) })
        .optional(),
    })
    .optional(),
  stack: z.array(z.string()).readonly().optional(),
});

export const taskReportSchema = z.object({
  name: z.string(),
  number: z.number().int(),
  title: z.string(),
  score: points,
  points,
  tests: z.array(testReportSchema),
  /** An instructor's decision, which replaces the score. */
  override: z.object({ score: points, by: z.string().optional() }).optional(),
  /** An instructor's words to the learner. */
  comments: z.array(z.string()).optional(),
  /** Answer cells that did not run to their end. */
  cells: z.array(
    z.object({
      gradeId: z.string(),
      status: z.enum(["ok", "error", "compile", "timeout", "oom", "exit", "protocol", "limit", "missing"]),
      message: z.string().optional(),
    }),
  ),
});

const keeper = z.enum(["cgroup", "rlimit", "watched", "no"]);

export const isolationSchema = z.object({
  /** `none`: as the grader's own user. */
  level: z.enum(LEVELS),
  /** Cut off from the network. */
  network: z.boolean(),
  /** Sees none of the machine's files but those that it runs. */
  files: z.boolean(),
  /** Under a filter of system calls. */
  syscalls: z.boolean(),
  /** What keeps the limits. */
  memory: keeper,
  processes: keeper,
  cpu: keeper,
});

export const reportSchema = z.object({
  version: z.literal(1),
  /** The file that was graded. */
  file: z.string(),
  assignment: z.string().optional(),
  title: z.string().optional(),
  /** `invalid`: the file can't be graded. `grader`: the grader failed, and the score says nothing. */
  status: z.enum(["graded", "invalid", "grader"]),
  /** For `invalid` and `grader`. */
  problem: z.string().optional(),
  message: z.string().optional(),
  /** Only visible tests were run. */
  visibleOnly: z.boolean(),
  /** Where the learner's code ran, and what held it there. */
  isolation: isolationSchema,
  /**
   * What the verdicts rest on. `judge`: the tests ran in a process that the learner's code can't reach. `in-kernel`:
   * the tests ran beside it, or came with it, and can be forged: the learner's own check, and nbgrader.
   */
  trust: z.enum(["judge", "in-kernel"]),
  score: points,
  points,
  tasks: z.array(taskReportSchema),
  /** Cells that a person grades. `score`: an instructor's, which counts in `final`; without one it is still to be given. */
  manual: z
    .array(z.object({ gradeId: z.string(), points, score: points.optional(), by: z.string().optional() }))
    .optional(),
  /** Changes to the instructor's cells, which were ignored. */
  notes: z.array(z.string()),
  /** Whose submission it is, in a batch. */
  student: z.string().optional(),
  /** When it was handed in, where that is known; ISO 8601, UTC. */
  submittedAt: z.string().optional(),
  /** How late it is, and what of the score that costs. */
  late: z.object({ minutes: z.number().nonnegative(), percent: z.number().min(0).max(100) }).optional(),
  /** An instructor's words on the whole. */
  comments: z.array(z.string()).optional(),
  /** The score with overrides and the late penalty; where there is none of both, `score` counts. */
  final: points.optional(),
  /** SHA-256 of the file. */
  sha256: z.string().optional(),
  timing: z.object({ ms: z.number() }),
});

export type TestReport = z.infer<typeof testReportSchema>;
export type TaskReport = z.infer<typeof taskReportSchema>;
export type Report = z.infer<typeof reportSchema>;

/** The score that counts. */
export function finalScore(report: Report): number {
  return report.final ?? report.score;
}

/** What can be had: tests, and what a person grades. */
export function fullPoints({ points, manual = [] }: Report): number {
  return manual.reduce((sum, cell) => sum + cell.points, points);
}

/** Whether a person has something left to grade. */
export function awaitsPerson({ manual = [] }: Report): boolean {
  return manual.some(({ score }) => score === undefined);
}

/** A task's score, or what an instructor made of it. */
export function taskScore(task: TaskReport): number {
  return task.override?.score ?? task.score;
}
