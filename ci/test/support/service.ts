/** A service in this process whose grader answers at once, and people who use it over HTTP. */
import { join } from "node:path";
import type { Report } from "../../src/judge/report.js";
import { formatNotebook } from "../../src/notebook/format.js";
import { NO_ISOLATION } from "../../src/sandbox/ladder.js";
import { Catalog } from "../../src/service/catalog.js";
import type { Grader } from "../../src/service/grader.js";
import type { Person } from "../../src/service/people.js";
import { LocalQueue } from "../../src/service/queue.js";
import { RunningService, type ServeOptions } from "../../src/service/service.js";
import { COURSE, solved } from "./course.js";

export const course = { solutions: join(COURSE, "solutions"), exercises: join(COURSE, "exercises") };

/** Grades that are told beforehand: what is tested with it is everything around the grading. */
export class ToldGrader implements Grader {
  /** Ids in the order in which they were graded. */
  readonly graded: string[] = [];
  /** While set, no grading ends before it is settled. */
  hold: Promise<void> | undefined;
  answer: Partial<Report> = { status: "graded", score: 7, points: 12 };

  async grade({ id, file, assignment }: { id: string; file: string; assignment: string }): Promise<Report> {
    await this.hold;
    this.graded.push(id);
    const { spec: _, ...isolation } = NO_ISOLATION;
    return {
      version: 1, file, assignment, status: "graded", visibleOnly: false, isolation, trust: "judge",
      score: 0, points: 12, tasks: [], notes: [], timing: { ms: 1 }, ...this.answer,
    }; // biome-ignore format: a record
  }

  async close(): Promise<void> {}
}

export interface Tried {
  running: RunningService;
  grader: ToldGrader;
  address: string;
  /** Adds somebody. @returns the token */
  enrol(id: string, person?: Partial<Person>): string;
}

export async function tryService(
  folder: string,
  { port = 0, ...options }: Partial<ServeOptions> & { port?: number } = {},
): Promise<Tried> {
  const grader = new ToldGrader();
  const running = await RunningService.open({
    folder,
    catalog: await Catalog.read(course),
    courseName: "Trial",
    maxBytes: 1024 * 1024,
    perHour: 100,
    bytesPerPerson: 100 * 1024 * 1024,
    perMinute: 10_000,
    signInsPerMinute: 10,
    keep: "best",
    makeQueue: (submissions, board) => new LocalQueue(submissions, board, grader, 2),
    ...options,
  });
  const address = await running.listen("127.0.0.1", port);
  return {
    running,
    grader,
    address,
    enrol: (id, person = {}) =>
      running.service.people.put({ id, name: id, email: "", role: "student", ...person }) ?? "known",
  };
}

let text: string | undefined;

/** A correct notebook, as a file. */
export async function notebookText(): Promise<string> {
  text ??= formatNotebook(await solved());
  return text;
}

/** What a form sends. */
export function formOf(
  bytes: string | Uint8Array<ArrayBuffer>,
  name = "mini.ipynb",
  fields: Record<string, string> = {},
): FormData {
  const form = new FormData();
  for (const [field, value] of Object.entries(fields)) form.set(field, value);
  form.set("file", new Blob([bytes]), name);
  return form;
}

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  /** Of JSON. */
  body: {
    error?: { code: string; message: string };
    receipt?: { id: string; file: string };
    [key: string]: unknown;
  };
}

/** As a program with a token. */
export async function call(
  address: string,
  path: string,
  token: string | undefined,
  init: RequestInit = {},
): Promise<Answer> {
  const headers = new Headers(init.headers);
  if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
  const response = await fetch(`${address}${path}`, { ...init, headers, redirect: "manual" });
  const text = await response.text();
  const isJson = /json/.test(response.headers.get("content-type") ?? "");
  return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : {} };
}
