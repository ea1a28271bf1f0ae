/** Graders on other machines, through a real Redis: nothing is lost or graded twice, whoever of them is killed. */
import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { freePort } from "../browser/support/launcher.js";
import { Catalog } from "../src/service/catalog.js";
import { FleetWorker } from "../src/service/fleet-worker.js";
import { RedisQueue } from "../src/service/redis-queue.js";
import { BIN } from "./support/command.js";
import { COURSE, scratchFolder } from "./support/course.js";
import { endure, killAll, killed, pause, startProgram, startQuick } from "./support/killing.js";
import { call, course, formOf, notebookText, ToldGrader, type Tried, tryService } from "./support/service.js";

const KILLS = 8;

/** Debian's package, where it may be installed. */
function redisServer(): string | undefined {
  const program = "redis-server";
  try {
    execFileSync(program, ["--version"], { stdio: "ignore" });
    return program;
  } catch {
    return process.env.CI ? program : undefined; // in CI it is there, or the test fails
  }
}

const program = redisServer();
const missing = program ? undefined : "redis-server is not installed: apt install redis-server";

describe.skipIf(missing)(`a fleet${missing ? ` (skipped: ${missing})` : ""}`, () => {
  const folder = scratchFolder(afterAll);
  let port: number;
  let url: string;
  let redis: Awaited<ReturnType<typeof startRedis>>;
  beforeAll(async () => {
    port = await freePort();
    url = `redis://127.0.0.1:${port}`;
  });
  beforeEach(async () => {
    redis = await startRedis();
  });
  afterEach(async () => killed(redis.child));
  afterAll(killAll);

  /** Empty each time: it keeps nothing. */
  function startRedis() {
    const args = [
      "--port",
      String(port),
      "--bind",
      "127.0.0.1",
      "--save",
      "",
      "--appendonly",
      "no",
      "--dir",
      folder,
    ];
    return startProgram(program as string, args, /Ready to accept connections/);
  }

  it(`loses nothing and grades nothing twice, over ${KILLS} kills of workers, service and Redis`, async () => {
    const data = join(folder, "data");
    const start = {
      service: () => startQuick(["service", data, COURSE, url]),
      worker: () => startQuick(["worker", COURSE, url]),
    };
    let service = await start.service();
    const workers = await Promise.all([start.worker(), start.worker()]);
    let turn = 0;
    const kill = async () => {
      const victim = ["worker", "service", "worker", "redis"][turn++ % 4];
      if (victim === "service") {
        await killed(service.child);
        service = await start.service();
      } else if (victim === "redis") {
        await killed(redis.child);
        redis = await startRedis();
      } else {
        await killed(workers[turn % 2].child);
        workers[turn % 2] = await start.worker();
      }
    };
    await endure({ data, kills: KILLS, pauseMs: 800, kill, address: () => service.said });
    await Promise.all([service, ...workers].map(({ child }) => killed(child)));
  }, 240_000);

  describe("within this process", () => {
    let tried: Tried;
    let token: string;
    let worker: FleetWorker | undefined;
    const said: string[] = [];
    beforeEach(async () => {
      const catalog = await Catalog.read(course);
      said.splice(0);
      tried = await tryService(join(folder, `in-process-${Math.random()}`), {
        makeQueue: (submissions, board) =>
          new RedisQueue(submissions, board, catalog, { url }, (message) => said.push(message), 200),
      });
      token = tried.enrol("ann");
    });
    afterEach(async () => {
      await worker?.close();
      worker = undefined;
      await tried.running.close();
    });
    const submit = async () => {
      const init = { method: "POST", body: formOf(await notebookText()) };
      return (await call(tried.address, "/submissions", token, init)).body.receipt?.id as string;
    };
    const done = async (id: string) => {
      const { text } = await call(tried.address, `/submissions/${id}/events`, token);
      return JSON.parse(
        text
          .trim()
          .split("\n\n")
          .at(-1)
          ?.replace(/^data: /, "") ?? "{}",
      ).progress;
    };
    const startWorker = (digest: (slug: string) => string, grader = new ToldGrader()) =>
      new FleetWorker({ url, lostMs: 1_000, grader, digest, jobs: 1, log: () => {} });

    it("does not grade with another version of an assignment, and says so to the instructor", async () => {
      const grader = new ToldGrader();
      worker = startWorker(() => "of last year", grader);
      const id = await submit();
      const progress = await done(id);
      expect(progress).toMatchObject({ state: "done", status: "grader" });
      expect(grader.graded).toEqual([]);
      expect(tried.running.service.submissions.report(id)?.message).toMatch(
        /no worker could grade it: .*another version of the assignment "mini"/,
      );
      // Once a worker is up to date, the instructor has it graded.
      await worker.close();
      const catalog = await Catalog.read(course);
      worker = startWorker((slug) => catalog.digest(slug));
      const prof = tried.enrol("prof", { role: "instructor" });
      expect((await call(tried.address, `/submissions/${id}/again`, prof, { method: "POST" })).status).toBe(
        303,
      );
      expect(await done(id)).toMatchObject({ state: "done", status: "graded", score: 7 });
    }, 60_000);

    it("goes on accepting while Redis is away, and grades when it is back", async () => {
      const catalog = await Catalog.read(course);
      worker = startWorker((slug) => catalog.digest(slug));
      await killed(redis.child);
      const ids = await Promise.all([submit(), submit()]);
      await pause(300);
      redis = await startRedis();
      for (const id of ids) expect(await done(id)).toMatchObject({ state: "done", status: "graded" });
      expect(said.join()).toMatch(/redis: /);
    }, 60_000);
  });

  it("is graded by the real command on another machine's copy of the course", async () => {
    const copy = join(folder, "copy");
    mkdirSync(copy);
    cpSync(COURSE, copy, { recursive: true });
    const data = join(folder, "real");
    const own = await freePort();
    const env = { ...process.env, NO_COLOR: "1" };
    const started = (args: string[], cwd: string) =>
      new Promise<ReturnType<typeof spawn>>((resolve, reject) => {
        const child = spawn(process.execPath, [BIN, ...args], {
          cwd,
          env,
          stdio: ["ignore", "pipe", "inherit"],
        });
        child.stdout?.once("data", () => resolve(child));
        child.once("exit", (code) => reject(new Error(`ended with ${code}`)));
      });
    const file = join(folder, "mini.ipynb");
    writeFileSync(file, await notebookText());
    const token = execFileSync(process.execPath, [BIN, "people", "add", "ann", "--data", data], {
      encoding: "utf8",
    }).trim();
    const service = await started(["serve", "--data", data, "--port", String(own), "--redis", url], COURSE);
    const worker = await started(["worker", "--redis", url, "--unsafe"], COURSE);
    const submitted = execFileSync(
      process.execPath,
      [BIN, "submit", file, "--server", `http://127.0.0.1:${own}`, "--token", token, "--yes", "--no-check"],
      { encoding: "utf8", env },
    );
    expect(submitted).toMatch(/12 of 12 points\n$/);
    for (const child of [service, worker]) {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGINT");
      await ended;
    }
    expect(readFileSync(file, "utf8")).toBe(await notebookText());
  }, 120_000);
});
