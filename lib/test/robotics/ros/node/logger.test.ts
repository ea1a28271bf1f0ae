/** Logging: levels, names, filters by place, and the console's form. */
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  createNode,
  graphHost,
  type LogRecord,
  type Node,
  type NodeOptions,
  VirtualTime,
} from "../../../../src/robotics/ros/index.js";

const host = graphHost({ network: "logger-tests" });
const nodes: Node[] = [];
let logs: LogRecord[] = [];

async function make(options: NodeOptions = {}): Promise<Node> {
  logs = [];
  const onLog = (record: LogRecord) => logs.push(record);
  const node = await createNode("n", {
    host,
    namespace: "/a/b",
    useGlobalArguments: false,
    onLog,
    ...options,
  });
  nodes.push(node);
  return node;
}

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.destroy();
});

const texts = () => logs.map(({ level, name, message }) => `${level} ${name} ${message}`);

describe("a logger", () => {
  it("logs from info up, unless its level or that of one above it says otherwise", async () => {
    const node = await make();
    const child = node.logger.getChild("planner");
    for (const logger of [node.logger, child])
      for (const level of ["debug", "info", "warn", "error", "fatal"] as const) logger[level](level);
    expect(texts()).toEqual(
      ["a.b.n", "a.b.n.planner"].flatMap((name) =>
        ["info", "warn", "error", "fatal"].map((l) => `${l} ${name} ${l}`),
      ),
    );
    logs = [];
    node.logger.setLevel("error");
    child.warn("no");
    child.setLevel("debug");
    child.debug("yes");
    node.logger.warn("no");
    expect(texts()).toEqual(["debug a.b.n.planner yes"]);
    expect([node.logger.level, child.getChild("x").level, child.isEnabled("debug")]).toEqual([
      "error",
      "debug",
      true,
    ]);
    expect(() => child.setLevel("loud" as never)).toThrow(
      "a log level is one of debug, info, warn, error, fatal, not loud",
    );
  });

  it("takes levels from the command line", async () => {
    const node = await make({
      args: ["--ros-args", "--log-level", "warn", "--log-level", "a.b.n.loud:=debug"],
    });
    expect([node.logger.level, node.logger.getChild("loud").level]).toEqual(["warn", "debug"]);
  });

  it("says where it was called, and when", async () => {
    const node = await make({ time: new VirtualTime(1_700_000_000.25) });
    function here() {
      node.logger.info(new Error("an error brings its stack"));
    }
    here();
    const [record] = logs;
    expect(record).toMatchObject({ function: "here", stamp: 1_700_000_000_250_000_000n });
    expect(record.file).toMatch(/logger\.test\.ts$/);
    expect(record.line).toBeGreaterThan(60);
    expect(record.message).toContain("at here");
  });

  it("logs once, not the first, or now and then, by place in the code", async () => {
    const time = new VirtualTime(100);
    const node = await make({ time });
    for (let i = 0; i < 5; i++) {
      node.logger.info(`once ${i}`, { once: true });
      node.logger.info(`other place ${i}`, { once: true });
      if (i < 3) node.logger.info(`skip ${i}`, { skipFirst: true });
      node.logger.info(`throttle ${i}`, { throttle: 2 });
      await time.advance(1);
    }
    expect(logs.map(({ message }) => message)).toEqual([
      "once 0",
      "other place 0",
      "throttle 0",
      "skip 1",
      "skip 2",
      "throttle 2",
      "throttle 4",
    ]);
  });

  it("writes to the error stream as ROS 2 does", async () => {
    const written: string[] = [];
    const spy = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      written.push(String(text));
      return true;
    });
    try {
      const node = await make({ onLog: undefined, time: new VirtualTime(1_700_000_000.5) });
      node.logger.warn("careful");
      node.createTimer(0.5, () => {
        throw new Error("in a callback");
      });
      await (node.time as VirtualTime).advance(0.5);
      await node.destroy();
    } finally {
      spy.mockRestore();
    }
    expect(written[0]).toBe("[WARN] [1700000000.500000000] [a.b.n]: careful\n");
    expect(written[1]).toMatch(
      /^\[ERROR\] \[1700000001.000000000\] \[a\.b\.n\]: timer of 0.5 s: Error: in a callback\n {4}at /,
    );
  });
});
