/** One suite over every way to reach a kernel: what the judge relies on holds for each. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, parse, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DEFAULT_LIMITS } from "../src/judge/limits.js";
import { chooseIsolation } from "../src/sandbox/ladder.js";
import { JupyterSession } from "../src/session/jupyter.js";
import { OwnJupyterServer } from "../src/session/jupyter-server.js";
import { boxes, kernelFactory } from "../src/session/open.js";
import { type Budget, ExecutionTimeout, KernelDied, type KernelSession } from "../src/session/session.js";
import { FRAMES_MIME } from "../src/wire/carrier.js";
import { grade } from "./support/command.js";
import { COURSE, handIn, scratchFolder, solved } from "./support/course.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PROGRAM = join(ROOT, ".venv", process.platform === "win32" ? "Scripts" : "bin", "jupyter-server");
const folder = scratchFolder(afterAll);
mkdirSync(join(folder, "inner"));
writeFileSync(join(folder, "inner", "here.txt"), "found");

const noJupyter =
  existsSync(PROGRAM) || process.env.CI ? undefined : "JupyterLab is not installed: npm start";

interface Way {
  name: string;
  skip?: string;
  /** A fence passes on what the judge reads, and has a folder of its own. */
  fenced?: boolean;
  /** Called once; the sessions start in `inner/`. */
  prepare(): Promise<() => KernelSession>;
}

let server: OwnJupyterServer | undefined;
const WAYS: Way[] = [
  { name: "zeromq over ipc", prepare: async () => kernelFactory(join(folder, "inner")) },
  {
    name: "a box",
    fenced: true,
    prepare: async () => {
      const isolation = await chooseIsolation("auto", { unsafe: true });
      return boxes({ isolation, limits: DEFAULT_LIMITS.box })(COURSE);
    },
  },
  {
    name: "a Jupyter server",
    skip: noJupyter,
    prepare: async () => {
      server = await OwnJupyterServer.start({ root: parse(folder).root, program: PROGRAM });
      const { address } = server;
      return () => new JupyterSession({ server: address, path: onServer(join(folder, "inner")) });
    },
  },
];

/** The kernel's own way to publish, before anything shortens it. */
const PUBLISH = `globalThis[Symbol.for("Jupyter.publish")]`;

/** A folder as the server names it. */
function onServer(path: string): string {
  return relative(parse(path).root, path).replaceAll("\\", "/");
}

const AMPLE: Budget = { wallMs: 30_000, cpuMs: 30_000, outputBytes: 1e6, outputMessages: 10_000 };

afterAll(async () => server?.shutdown());

describe.each(WAYS)("$name", ({ name, skip, fenced = false, prepare }) => {
  describe.skipIf(skip)(skip ? `(skipped: ${skip})` : "session", { timeout: 60_000 }, () => {
    let open: () => KernelSession;
    let session: KernelSession;
    const run = (code: string, budget: Partial<Budget> = {}) =>
      session.execute(code, { ...AMPLE, ...budget });

    beforeAll(async () => {
      open = await prepare();
      session = open();
      await session.start();
    });
    afterAll(async () => session?.shutdown());

    it("runs cells one after the other, with what the earlier ones made", async () => {
      expect(await run("let n = 40")).toEqual({ status: "ok", displays: [], text: "" });
      expect(await run("console.log(n + 2)")).toMatchObject({ status: "ok", text: "42\n" });
    });

    it.skipIf(fenced)("runs them in the notebook's folder", async () => {
      const here = `console.log((await import("node:fs")).readFileSync("here.txt", "utf8"))`;
      expect(await run(here)).toMatchObject({ status: "ok", text: "found\n" });
    });

    it("gives both streams, and no more text than is kept", async () => {
      const { text } = await run(`console.log("out"); console.error("err")`);
      expect(text.split("\n").sort()).toEqual(["", "err", "out"]);
      expect((await run(`console.log("x".repeat(1e5))`)).text).toHaveLength(20_000);
    });

    it("gives the agent's frames in order, and no results", async () => {
      const code = `${PUBLISH}({ "${FRAMES_MIME}": "[1]" }); ${PUBLISH}({ "${FRAMES_MIME}": "[2]" }); 3`;
      const { displays, status } = await run(`// @ts-nocheck\n${code}`);
      expect(status).toBe("ok");
      expect(displays.map((bundle) => bundle[FRAMES_MIME])).toEqual(["[1]", "[2]"]);
    });

    it.skipIf(fenced)("gives displays in order, and no results", async () => {
      const code = `display.html("<b>1</b>"); display.json({ a: [2] }); display.html("3"); 4`;
      const { displays, status } = await run(code);
      expect(status).toBe("ok");
      expect(displays.map((bundle) => bundle["text/html"] ?? bundle["application/json"])).toEqual([
        "<b>1</b>",
        { a: [2] },
        "3",
      ]);
    });

    it("tells an error by name, message and place, and runs what comes after it", async () => {
      const failed = session.execute(`const f = () => { throw new RangeError("too far") };\nf();`, AMPLE);
      const next = session.execute("console.log('still here')", AMPLE);
      const { status, error } = await failed;
      expect(status).toBe("error");
      expect(error).toMatchObject({ name: "RangeError", message: "too far" });
      expect(error?.traceback.join("\n")).toMatch(/too far/);
      expect(await next).toMatchObject({ status: "ok", text: "still here\n" });
      const wrong = await run(`const s: number = "text"`);
      expect(wrong.error?.message).toMatch(/not assignable to type 'number'/);
    });

    it("takes no input: a question is an error, not a wait", async () => {
      for (const question of [`await input("name?")`, `prompt("name?")`])
        expect((await run(question)).error, question).toMatchObject({ name: "InputError" });
    });

    it("gives up a cell whose time is used up, and interrupts it; its variables stay", async () => {
      await run("const kept = 7");
      for (const forever of ["for (;;) {}", "await new Promise(() => setInterval(() => {}, 1000))"]) {
        const start = performance.now();
        await expect(run(forever, { wallMs: 300 })).rejects.toThrow(ExecutionTimeout);
        expect(performance.now() - start).toBeGreaterThan(250);
        expect(await session.interrupt(10_000), forever).toBe(true);
        expect(await run("console.log(kept)")).toMatchObject({ status: "ok", text: "7\n" });
      }
    });

    it("may be interrupted when it does nothing", async () => {
      expect(await session.interrupt(10_000)).toBe(true);
      expect(await run("1")).toMatchObject({ status: "ok" });
    });

    it("carries outputs of many megabytes whole", async () => {
      // As the judge's agent publishes: display() itself shortens for the reader.
      const { displays } = await run(
        `// @ts-nocheck\n${PUBLISH}({ "${FRAMES_MIME}": "é".repeat(10_000_000) })`,
      );
      expect(displays).toHaveLength(1);
      // Not toBe: its message would show both.
      expect(displays[0][FRAMES_MIME] === "é".repeat(10_000_000)).toBe(true);
    });

    it.skipIf(fenced)("carries thousands of displays in order", async () => {
      const many = await run(`for (let i = 0; i < 3000; i++) display.html(String(i))`);
      expect(many.displays.map((bundle) => bundle["text/html"])).toEqual(
        Array.from({ length: 3000 }, (_, i) => String(i)),
      );
    });

    it("does not survive a flood", async () => {
      const flood = run(`for (let i = 0; i < 5000; i++) display.html(String(i))`, { outputMessages: 1000 });
      await expect(flood).rejects.toMatchObject({ name: "KernelDied", reason: "limit" });
      await session.restart();
      expect(await run("console.log('again')")).toMatchObject({ status: "ok", text: "again\n" });
    });

    it("starts anew with nothing of before", async () => {
      await run("const before = 1");
      await session.restart();
      expect(await run("before")).toMatchObject({ status: "error" });
      expect(await run("const before = 2; console.log(before)")).toMatchObject({ status: "ok", text: "2\n" });
    });

    it("reports a cell that ends its process", async () => {
      expect(await run("process.exit(3)")).toMatchObject({ status: "error" });
    });

    it("notices a kernel that dies, and can be started again", async () => {
      await run("console.log(1)");
      // The parent of the process that runs cells is the kernel itself.
      await expect(run(`process.kill(process.ppid, "SIGKILL"); for (;;) {}`)).rejects.toThrow(KernelDied);
      await expect(run("1")).rejects.toThrow(KernelDied);
      await session.restart();
      expect(await run("console.log('new')")).toMatchObject({ status: "ok", text: "new\n" });
    });

    it("ends as often as it is told to", async () => {
      await session.shutdown();
      await session.shutdown();
      await expect(run("1")).rejects.toThrow(KernelDied);
      expect(await session.interrupt(100), name).toBe(false);
    });
  });
});

describe.skipIf(noJupyter)(
  `a Jupyter server that is not as hoped${noJupyter ? ` (skipped: ${noJupyter})` : ""}`,
  () => {
    const message = (options: ConstructorParameters<typeof JupyterSession>[0]) =>
      new JupyterSession(options).start().then(
        () => "started",
        (error: Error) => `${error.name}: ${error.message}`,
      );

    it("refuses a wrong token, an unknown kernel, a server that is not there: each is named", async () => {
      const { url, token } = (server as OwnJupyterServer).address;
      expect(await message({ server: { url, token: "wrong" } })).toMatch(
        /GraderError: .*refuses the token \(403\): see --token/,
      );
      expect(await message({ server: { url, token }, kernelName: "nobody" })).toMatch(
        /GraderError: the kernel "nobody" did not start on http.*No such kernel|nobody/,
      );
      expect(await message({ server: { url: "http://127.0.0.1:9", token } })).toMatch(
        /GraderError: .*can't be reached/,
      );
    }, 30_000);

    it("runs a learner's check and, told that it is unsafe, a grading; both say what their verdicts rest on", async () => {
      const { url, token } = (server as OwnJupyterServer).address;
      const json = join(folder, "results.json");
      const way = ["--session", "jupyter", "--server", url, "--token", token, "--json", json];
      const there = ["--folder", onServer(join(COURSE, "solutions"))];
      const file = handIn(folder, await solved());
      const graded = async (...args: string[]) => {
        const { code, err } = await grade(...args, ...way, ...there);
        expect(code, err).toBe(0);
        return JSON.parse(readFileSync(json, "utf8")).reports[0];
      };
      const facts = { trust: "in-kernel", isolation: { level: "none" } };
      expect(await graded("check", file)).toMatchObject({ score: 4, points: 4, ...facts });
      expect(await graded("grade", file, "--unsafe")).toMatchObject({ score: 12, points: 12, ...facts });
      expect(await grade("grade", file, ...way)).toMatchObject({
        code: 2,
        err: expect.stringMatching(/run unfenced, as whoever runs the server; add --unsafe/),
      });
      expect(await grade("check", file, "--server", url)).toMatchObject({
        code: 2,
        err: expect.stringMatching(/add --session jupyter/),
      });
    }, 120_000);

    it("is killed with all its kernels", async () => {
      const own = await OwnJupyterServer.start({ root: folder, program: PROGRAM });
      const session = new JupyterSession({ server: own.address });
      await session.start();
      const { text } = await session.execute("console.log(process.ppid)", AMPLE);
      await own.shutdown();
      expect(() => process.kill(Number(text), 0)).toThrow(/ESRCH/);
      // It may be back: the session waits for as long as the cell may take.
      await expect(session.execute("1", { ...AMPLE, wallMs: 500 })).rejects.toThrow(ExecutionTimeout);
      await session.shutdown();
    }, 60_000);
  },
);
