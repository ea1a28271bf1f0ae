/** People who hand in, as programs do, to a service that is killed again and again; and what must hold after it. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { NO_SETTINGS } from "../../src/batch/settings.js";
import { Database } from "../../src/service/database.js";
import { Decisions } from "../../src/service/decisions.js";
import { People } from "../../src/service/people.js";
import { Submissions } from "../../src/service/submissions.js";
import { call, formOf, notebookText } from "./service.js";

export const QUICK = fileURLToPath(new URL("quick-service.mjs", import.meta.url));
const SENDERS = 6;

export interface Ordeal {
  /** The service's folder. */
  data: string;
  kills: number;
  /** Longest time between two kills. */
  pauseMs: number;
  /** Kills something and starts it again. */
  kill(): Promise<void>;
  /** Where the service is now. */
  address(): string;
}

/** Submits and kills, then waits until all is graded. @throws where something was lost, or graded twice */
export async function endure({ data, kills, pauseMs, kill, address }: Ordeal): Promise<void> {
  const database = Database.open(data);
  const people = new People(database);
  const tokens = Array.from(
    { length: SENDERS },
    (_, i) => people.put({ id: `s${i}`, name: "", email: "", role: "student" }) as string,
  );
  const notebook = await notebookText();
  let over = false;
  let sent = 0;
  /** By id: the sender. What is here was answered with 201. */
  const accepted = new Map<string, number>();
  const scores = new Map<string, number>();

  /** Names its request, and sends it again until it is answered. */
  const sender = async (index: number) => {
    while (!over) {
      const name = `request-${index}-${sent++}`;
      for (let answered = false; !answered && !over; ) {
        const init = { method: "POST", body: formOf(notebook), headers: { "idempotency-key": name } };
        const answer = await call(address(), "/submissions", tokens[index], init).catch(() => undefined);
        if (answer?.status === 201) {
          accepted.set(answer.body.receipt?.id as string, index);
          answered = true;
        } else await pause(5);
      }
      // Graders keep up with so many.
      await pause(50);
      // Looks at a result that it does not know yet, as learners do.
      const id = [...accepted].find(([id, who]) => who === index && !scores.has(id))?.[0];
      if (id === undefined) continue;
      const seen = await call(address(), `/submissions/${id}`, tokens[index]).catch(() => undefined);
      const progress = seen?.body.progress as { state: string; score: number } | undefined;
      if (progress?.state === "done") scores.set(id, progress.score);
    }
  };

  const senders = Array.from({ length: SENDERS }, (_, i) => sender(i));
  for (let done = 0; done < kills; done++) {
    await pause(Math.random() * pauseMs);
    await kill();
  }
  await pause(200);
  over = true;
  await Promise.all(senders);
  const submissions = new Submissions(database, new Decisions(database, NO_SETTINGS));
  for (let tries = 0; tries < 1_200 && submissions.pending().length > 0; tries++) await pause(50);

  const all = submissions.all();
  const ids = new Set(all.map(({ id }) => id));
  expect(accepted.size).toBeGreaterThan(kills);
  expect([...accepted.keys()].filter((id) => !ids.has(id))).toEqual([]);
  // Each request is one submission: the unanswered last ones of the senders may or may not have come through.
  expect(all.length - accepted.size).toBeLessThanOrEqual(SENDERS);
  // Each has one grade, a real one, and it is still the one that was seen, maybe before later kills.
  const wrong = all.filter(({ grade }) => grade?.status !== "graded");
  expect(wrong.map(({ id, grade }) => grade && submissions.report(id)?.message)).toEqual([]);
  expect(scores.size).toBeGreaterThan(0);
  for (const [id, score] of scores) expect(submissions.get(id)?.grade?.score, id).toBe(score);
  expect(database.get("PRAGMA integrity_check")).toMatchObject({ integrity_check: "ok" });
  database.close();
}

const running = new Set<ChildProcess>();

/** Starts a program that a test may kill. @returns it and the first that it said */
export async function startQuick(args: readonly string[]): Promise<{ child: ChildProcess; said: string }> {
  return startProgram(process.execPath, [QUICK, ...args], /\n/);
}

/** @param ready what it says when it is ready */
export async function startProgram(
  program: string,
  args: readonly string[],
  ready: RegExp,
): Promise<{ child: ChildProcess; said: string }> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  running.add(child);
  let text = "";
  const said = await new Promise<string>((resolve, reject) => {
    child.stdout?.setEncoding("utf8").on("data", (part: string) => {
      text += part;
      if (ready.test(text)) resolve(text.trim());
    });
    child.once("error", reject);
    child.once("exit", (code) =>
      reject(new Error(`${program} ${args.join(" ")} ended with ${code}: ${text}`)),
    );
  });
  return { child, said };
}

export async function killed(child: ChildProcess): Promise<void> {
  running.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
}

/** Whatever a failed test left. */
export async function killAll(): Promise<void> {
  await Promise.all([...running].map(killed));
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
