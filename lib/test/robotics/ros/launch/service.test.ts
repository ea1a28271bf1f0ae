import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type LaunchBody,
  type LaunchDescription,
  launch,
  type NodeProcessOptions,
} from "../../../../src/robotics/ros/launch/description.js";
import {
  type LaunchEvent,
  type LaunchOptions,
  LaunchService,
} from "../../../../src/robotics/ros/launch/service.js";

const scripts = fileURLToPath(new URL("./scripts/", import.meta.url));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mlsys-launch-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs to the end, with plain scripts; events without numbers of processes. */
async function run(body: LaunchBody | LaunchDescription, options: Partial<LaunchOptions> = {}) {
  const events: LaunchEvent[] = [];
  const service = new LaunchService(typeof body === "function" ? launch(body) : body, {
    folder: scripts,
    runner: {
      command: (script, args) => [process.execPath, script, ...args.filter((word) => !word.includes(":="))],
      env: {},
      extra: [],
    },
    ...options,
    onEvent: (event) => {
      events.push(event);
      return options.onEvent?.(event);
    },
  });
  const report = await service.run();
  const told = events.map((event) =>
    "name" in event && event.type !== "error" ? `${event.type} ${event.name}` : event.type,
  );
  return { report, events, told };
}

const ending = (code: number, name: string, more: Partial<NodeProcessOptions> = {}) =>
  launch.node({ script: "end.mjs", name, args: [String(code)], ...more });
/** Stays until it is told to end by another signal than those. */
const staying = (name: string, ...ignored: string[]) =>
  launch.node({ script: "end.mjs", name, args: ["wait", folder, name, ...ignored] });

const isThere = (name: string): boolean =>
  existsSync(join(folder, `${name}.pid`)) && readFileSync(join(folder, `${name}.pid`), "utf8") !== "";
async function untilThere(...names: string[]): Promise<void> {
  while (!names.every(isThere)) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe("a launch", () => {
  it("ends when all have ended, with the first failure's code", async () => {
    const { report } = await run(() => [ending(0, "good"), ending(4, "bad")]);
    expect(report).toEqual({ code: 4, reason: null });
    expect((await run(() => [])).report).toEqual({ code: 0, reason: null });
  });

  it("starts a process again as often as it is to, and calls its handlers each time", async () => {
    let [starts, ends] = [0, 0];
    const { report, told } = await run(() => {
      const node = ending(2, "again", { respawn: true, respawnDelay: 0.01, maxRespawns: 2 });
      return [
        node,
        launch.onStart(node, () => void starts++),
        launch.onExit(node, ({ code, signal }) => {
          expect([code, signal]).toEqual([2, null]);
          ends++;
        }),
      ];
    });
    expect([starts, ends]).toEqual([3, 3]);
    expect(told).toEqual([
      ...["start again", "exit again", "respawn again"],
      ...["start again", "exit again", "respawn again"],
      ...["start again", "exit again"],
    ]);
    expect(report.code).toBe(2);
  });

  it("takes the actions that handlers and timers return, in the scope of their group", async () => {
    const seen: string[][] = [];
    const { told } = await run(
      () => {
        const first = ending(0, "first");
        return [
          launch.group({ namespace: "/robot" }, [
            first,
            launch.onExit(first, () => launch.timer(0, () => [ending(0, "second")])),
          ]),
        ];
      },
      {
        runner: {
          command: (script, args) => {
            seen.push([...args]);
            return [process.execPath, script, args[0]];
          },
          env: {},
          extra: [],
        },
      },
    );
    expect(told).toEqual(["start first", "exit first", "start second", "exit second"]);
    expect(seen.map((words) => words.includes("__ns:=/robot"))).toEqual([true, true]);
  });

  it("ends all when a required process ends, and does not count how the others end", async () => {
    const { report, events } = await run(() => {
      const stays = staying("stays");
      return [
        stays,
        launch.onStart(stays, () => launch.timer(0, () => null)),
        launch.onShutdown(() => untilThere("stays")),
        ending(0, "needed", { required: true }),
      ];
    });
    expect(report).toEqual({ code: 0, reason: "needed, which is required, ended with exit code 0" });
    expect(events.find((event) => event.type === "exit" && event.name === "stays")).toEqual({
      ...{ type: "exit", name: "stays", code: null, signal: "SIGINT", asked: true },
    });
  });

  it("asks to end ever more firmly", async () => {
    const stop = new AbortController();
    const running = run(() => [staying("polite", "SIGINT"), staying("deaf", "SIGINT", "SIGTERM")], {
      grace: { interrupt: 0.05, terminate: 0.05 },
      signal: stop.signal,
    });
    await untilThere("polite", "deaf");
    stop.abort("enough");
    const { report, events } = await running;
    expect(report).toEqual({ code: 0, reason: "enough" });
    const ended = (name: string) =>
      events
        .filter((event) => event.type === "exit" && event.name === name)
        .map((e) => "signal" in e && e.signal);
    expect([ended("polite"), ended("deaf")]).toEqual([["SIGTERM"], ["SIGKILL"]]);
    const escalated = events.flatMap((event) =>
      event.type === "escalate" ? [`${event.name} ${event.signal}`] : [],
    );
    expect(escalated.sort()).toEqual(["deaf SIGKILL", "deaf SIGTERM", "polite SIGTERM"]);
  });

  it("is not stopped by an error in a handler, and tells it", async () => {
    const { report, events } = await run(() => {
      const node = ending(0, "node");
      return [
        node,
        launch.onExit(node, () => {
          throw new Error("in the handler");
        }),
        launch.timer(0, () => ending(0, "later")),
      ];
    });
    expect(events.filter(({ type }) => type === "error")).toMatchObject([
      { error: { message: "in the handler" } },
    ]);
    expect(events.filter(({ type }) => type === "exit")).toHaveLength(2);
    expect(report.code).toBe(1);
  });

  it("tells of a program that can't be started", async () => {
    const { report, events } = await run(() => [ending(0, "lost", { cwd: join(folder, "none") })]);
    expect(events.map(({ type }) => type)).toEqual(["error", "exit"]);
    expect(report.code).toBe(127);
  });

  it("tells of a script that is not there", async () => {
    const { report, events } = await run(() => [launch.node({ script: "none.ts" })]);
    expect(events).toMatchObject([
      { type: "error", error: { message: `launch: script ${join(scripts, "none.ts")} is not there` } },
      { type: "shutdown" },
    ]);
    expect(report.code).toBe(1);
  });

  it("does not wait for the output of what a process has left behind", async () => {
    const file = join(folder, "left.pid");
    const { events } = await run(() => [launch.node({ script: "leave.mjs", args: [file] })], {
      grace: { output: 0.1 },
    });
    process.kill(Number(readFileSync(file, "utf8")), "SIGKILL");
    expect(events.flatMap((event) => (event.type === "output" ? [event.line] : []))).toEqual(["left it"]);
  });

  it("includes other launch files, with arguments of their own", async () => {
    const inner = launch({ code: { default: "0" } }, ({ args }) => [ending(Number(args.code), "inner")]);
    expect((await run(() => [launch.include(inner, { code: "5" })])).report.code).toBe(5);
    const { report, events } = await run(() => [launch.include(inner, { cod: "5" })]);
    expect(events).toMatchObject([
      { type: "error", error: { message: 'launch: no argument "cod"; there is code' } },
      { type: "shutdown" },
    ]);
    expect(report.code).toBe(1);
  });

  it("hands on lines one by one, waiting for who takes them", async () => {
    const lines: string[] = [];
    await run(() => [launch.node({ script: "lines.mjs" })], {
      onEvent: async (event) => {
        if (event.type !== "output") return;
        await new Promise((resolve) => setImmediate(resolve));
        lines.push(event.line);
      },
    });
    expect(lines).toEqual([...Array.from({ length: 1000 }, (_, i) => `line ${i}`), "no end of line"]);
  });
});
