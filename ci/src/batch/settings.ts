/** `grading.json` beside `solutions/`: when each assignment is due, and what lateness costs. */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { InputError, messageOf } from "../errors.js";
import type { Course } from "./course.js";

const time = z.iso.datetime({ offset: true, local: false });

const lateSchema = z.strictObject({
  /** Minutes that are overlooked. */
  graceMinutes: z.number().nonnegative().default(0),
  /** Of the score, for each day that has begun. */
  percentPerDay: z.number().min(0).max(100).default(0),
  /** No more than this is taken off … */
  maxPercent: z.number().min(0).max(100).default(100),
  /** … until so many days have gone by; then everything is. */
  closedAfterDays: z.number().positive().optional(),
});

const settingsSchema = z.strictObject({
  late: lateSchema.optional(),
  assignments: z
    .record(z.string(), z.strictObject({ due: time.optional(), late: lateSchema.optional() }))
    .default({}),
  /** Later ends for single students: by student, by assignment. */
  extensions: z.record(z.string(), z.record(z.string(), time)).default({}),
});

export type LateRule = z.infer<typeof lateSchema>;
export type Settings = z.infer<typeof settingsSchema>;

export const NO_SETTINGS: Settings = { assignments: {}, extensions: {} };

/** @throws InputError that says what is wrong with the file */
export async function readSettings(course: Course): Promise<Settings> {
  const path = join(dirname(course.solutions), "grading.json");
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return NO_SETTINGS;
  return parseSettings(text, path);
}

export function parseSettings(text: string, where: string): Settings {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new InputError("bad-settings", `${where}: is not JSON (${messageOf(error)})`);
  }
  const parsed = settingsSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0];
  throw new InputError(
    "bad-settings",
    `${where}${path.length > 0 ? ` at ${path.join(".")}` : ""}: ${message}`,
  );
}

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/**
 * What lateness takes off, `undefined` for what is in time or has no known time.
 * @param submittedAt ISO 8601
 */
export function lateness(
  settings: Settings,
  { student, assignment, submittedAt }: { student?: string; assignment?: string; submittedAt?: string },
): { minutes: number; percent: number } | undefined {
  const own = settings.assignments[assignment ?? ""];
  const due = settings.extensions[student ?? ""]?.[assignment ?? ""] ?? own?.due;
  if (due === undefined || submittedAt === undefined) return undefined;
  const rule = own?.late ?? settings.late;
  const over = Date.parse(submittedAt) - Date.parse(due);
  if (over <= (rule?.graceMinutes ?? 0) * MINUTE) return undefined;
  const minutes = Math.ceil(over / MINUTE);
  if (!rule) return { minutes, percent: 0 };
  if (rule.closedAfterDays !== undefined && over > rule.closedAfterDays * DAY)
    return { minutes, percent: 100 };
  return { minutes, percent: Math.min(rule.maxPercent, Math.ceil(over / DAY) * rule.percentPerDay) };
}
