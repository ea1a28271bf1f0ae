/** kill -9 at any moment: what was accepted is there, is graded, and is graded once. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { Database } from "../src/service/database.js";
import { People } from "../src/service/people.js";
import { Submissions } from "../src/service/submissions.js";
import { COURSE, scratchFolder } from "./support/course.js";
import { call, formOf, notebookText } from "./support/service.js";

const PROGRAM = fileURLToPath(new URL("support/quick-service.mjs", import.meta.url));
const KILLS = process.env.MLSYS_TEST_ALL === "1" ? 15 : 5;
const SENDERS = 6;
const folder = scratchFolder(afterAll);
const data = join(folder, "data");

const running = new Set<ChildProcess>();
afterAll(() => {
  for (const child of running) child.kill("SIGKILL");
});

describe("a service that is killed", () => {
  it(`loses nothing and grades nothing twice, over ${KILLS} kills at random moments`, async () => {
    const database = Database.open(data);
    const tokens = Array.from(
      { length: SENDERS },
      (_, i) => new People(database).put({ id: `s${i}`, name: "", email: "", role: "student" }) as string,
    );
    const notebook = await notebookText();
    let address = "";
    let over = false;
    let sent = 0;
    /** By id: the sender and the name of the request. What is here was answered with 201. */
    const accepted = new Map<string, string>();
    const scores = new Map<string, number>();

    /** As a client does: names its request, and sends it again until it is answered. */
    const sender = async (index: number) => {
      while (!over) {
        const name = `request-${index}-${sent++}`;
        for (let answered = false; !answered && !over; ) {
          const init = { method: "POST", body: formOf(notebook), headers: { "idempotency-key": name } };
          const answer = await call(address, "/submissions", tokens[index], init).catch(() => undefined);
          if (answer?.status === 201) {
            accepted.set(answer.body.receipt?.id as string, `s${index} ${name}`);
            answered = true;
          } else await pause(5);
        }
        // Looks at one of the results that it knows, as learners do.
        const id = [...accepted].find(([id, who]) => who.startsWith(`s${index} `) && !scores.has(id))?.[0];
        const seen =
          id === undefined
            ? undefined
            : await call(address, `/submissions/${id}`, tokens[index]).catch(() => undefined);
        const progress = seen?.body.progress as { state: string; score: number } | undefined;
        if (id !== undefined && progress?.state === "done") scores.set(id, progress.score);
      }
    };

    let service = await start();
    address = service.address;
    const senders = Array.from({ length: SENDERS }, (_, i) => sender(i));
    for (let kill = 0; kill < KILLS; kill++) {
      await pause(Math.random() * 400);
      await killed(service.child);
      service = await start();
      address = service.address;
    }
    await pause(200);
    over = true;
    await Promise.all(senders);
    const submissions = new Submissions(database);
    await until(() => submissions.pending().length === 0);

    const all = submissions.all();
    const ids = new Set(all.map(({ id }) => id));
    expect(accepted.size).toBeGreaterThan(KILLS);
    expect([...accepted.keys()].filter((id) => !ids.has(id))).toEqual([]);
    // Each request is one submission: the unanswered last ones of the senders may or may not have come through.
    const requests = database.all<{ person: string; request: string }>(
      "SELECT person, request FROM submission",
    );
    expect(new Set(requests.map(({ person, request }) => `${person} ${request}`)).size).toBe(all.length);
    expect(all.length - accepted.size).toBeLessThanOrEqual(SENDERS);
    // Each has one grade, and it is still the one that was seen, some before later kills.
    expect(all.filter(({ grade }) => !grade)).toEqual([]);
    expect(scores.size).toBeGreaterThan(0);
    for (const [id, score] of scores) expect(submissions.get(id)?.grade?.score, id).toBe(score);
    expect(database.get<{ integrity_check: string }>("PRAGMA integrity_check")).toMatchObject({
      integrity_check: "ok",
    });

    await killed(service.child);
    database.close();
  }, 180_000);
});

async function start(): Promise<{ child: ChildProcess; address: string }> {
  const child = spawn(process.execPath, [PROGRAM, data, COURSE], { stdio: ["ignore", "pipe", "inherit"] });
  running.add(child);
  const address = await new Promise<string>((resolve, reject) => {
    child.stdout?.setEncoding("utf8").once("data", (text: string) => resolve(text.trim()));
    child.once("exit", (code) => reject(new Error(`the service ended with ${code}`)));
  });
  return { child, address };
}

async function killed(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
  running.delete(child);
}

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 600 && !holds(); tries++) await pause(50);
  expect(holds()).toBe(true);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
