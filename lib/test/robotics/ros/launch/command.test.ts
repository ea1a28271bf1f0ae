/** The command `mlsys launch`, as a process of its own. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mlsys, start } from "../../../support/cli.js";

const scripts = fileURLToPath(new URL("./scripts/", import.meta.url));
const lines = (text: string): string[] => text.trimEnd().split("\n").sort();

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mlsys-launch-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function until(what: () => boolean): Promise<void> {
  while (!what()) await new Promise((resolve) => setTimeout(resolve, 20));
}
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
};

/** Nodes meet in process, whatever the environment of the tests says. */
const ros = { MLSYS_ROS: undefined, ROS_DOMAIN_ID: undefined };

/** A launch whose three processes stay, and their numbers. */
async function staying() {
  const launcher = start(["launch", join(scripts, "stay.launch.ts"), `folder:=${folder}`]);
  const files = ["busy", "child", "sh"].map((name) => join(folder, `${name}.pid`));
  await until(() => files.every((file) => existsSync(file) && /\d/.test(readFileSync(file, "utf8"))));
  return { ...launcher, pids: files.map((file) => Number(readFileSync(file, "utf8"))) };
}

describe("runLaunch", () => {
  it("runs a launch from a program, and leaves nothing that holds it", async () => {
    const file = join(folder, "program.ts");
    writeFileSync(
      file,
      `import { robotics } from "mlsys";
      const { ros } = robotics;
      const viewer = ros.launch.node({ script: "viewer.ts", required: true });
      const camera = ros.launch.node({ script: "managed.ts", name: "camera", lifecycle: "active" });
      const report = await ros.runLaunch(ros.launch(() => [viewer, camera]), { folder: ${JSON.stringify(scripts)} });
      console.log(report);`,
    );
    const { code, out } = await mlsys(["ros", "run", file], ros);
    expect(out).toContain("[camera] activated\n");
    expect(out).toContain("[viewer] saw image of camera\n");
    expect(out).toContain("code: 0,");
    expect(code).toBe(0);
  });
});

describe("mlsys ros run", () => {
  it("runs a script with nodes, with names and parameters from its arguments, and ends with it", async () => {
    const file = join(folder, "talk.ts");
    writeFileSync(
      file,
      `import { robotics } from "mlsys";
      const node = await robotics.ros.createNode("talker", { startParameterServices: false });
      const rate: number = node.declareParameter("rate", 1);
      console.log(node.fullyQualifiedName, rate, process.argv.slice(2, 3));
      setImmediate(() => { process.exitCode = 7; });`,
    );
    const { code, out } = await mlsys(
      ["ros", "run", file, "first", "--ros-args", "-r", "__ns:=/robot", "-p", "rate:=2.5"],
      ros,
    );
    expect(out).toBe("/robot/talker 2.5 [ 'first' ]\n");
    expect(code).toBe(7);
  });

  it("says which script is none", async () => {
    expect((await mlsys(["ros", "run", join(folder, "none.ts")])).err).toContain("none.ts is not there");
  });
});

describe("mlsys launch", () => {
  it("starts what a launch file in TypeScript says, with names, remaps and parameters", async () => {
    const { code, out, err } = await mlsys(["launch", join(scripts, "all.launch.ts"), "mode:=fast"]);
    const ros = [
      ...["fast", "--ros-args", "-r", "__node:=hand", "-r", "__ns:=/r1/arm", "-r", "scan:=laser"],
      ...["-r", "image:=/camera", "-p", "rate:=2.5", "-p", 'names:=["a", "b c"]'],
      ...["-p", "limits.low:=-1", "-p", "limits.on:=true", "-p", 'title:="the \\"hand\\""'],
    ];
    const rest = (namespace: string) => JSON.stringify(["--ros-args", "-r", namespace, "-r", "scan:=laser"]);
    expect(lines(out)).toEqual(
      [
        `[hand] args ${JSON.stringify(ros)}`,
        "[hand] greeting hello",
        `[say] args ${rest("__ns:=/r1")}`,
        "[say] greeting hello",
        `[say-2] args ${rest("__ns:=/")}`,
        "[say-2] greeting hello",
        "[sh] hi sh",
      ].sort(),
    );
    expect(lines(err)).toEqual(
      expect.arrayContaining(["[hand] to stderr", "[say] to stderr", "mlsys: mode fast"]),
    );
    expect(err).toMatch(/mlsys: hand started \(process \d+\)\n/);
    expect(err).toMatch(/mlsys: hand ended with exit code 0\n/);
    expect(err).toMatch(/mlsys: sh ended with exit code 3\n/);
    expect(code).toBe(3); // the first that failed
  });

  it("joins the nodes of its processes in one graph, and brings managed ones up", async () => {
    const { code, out, err } = await mlsys(["launch", join(scripts, "nodes.launch.ts")], ros);
    const of = (name: string) => out.split("\n").filter((line) => line.startsWith(`[${name}]`));
    expect(of("asks")).toEqual(
      ["feedback 1", "feedback 3", "feedback 6", "succeeded 6"].map((l) => `[asks] ${l}`),
    );
    expect(of("adder")).toEqual(["[adder] good day from /arm/adder"]);
    expect(of("eye_camera")).toEqual(["[eye_camera] configured", "[eye_camera] activated"]);
    expect(of("viewer")).toEqual(["[viewer] saw image of eye_camera"]);
    expect(err).toContain("mlsys: ending all: all was seen\n");
    expect(code).toBe(0);
  });

  it("says what a file's arguments are, and which is wrong", async () => {
    const file = join(scripts, "arguments.launch.ts");
    const { out, code } = await mlsys(["launch", file, "--show-args"]);
    expect(out).toBe(
      "Arguments:\n  robot:=  whose namespace; default: /r1\n  mode:=  how; one of fast, slow; needed\n",
    );
    expect(code).toBe(0);
    const { err } = await mlsys(["launch", file, "mode:=up"]);
    expect(err).toContain('arguments.launch.ts: argument "mode" is "up"; one of fast, slow expected');
  });

  it("says which file is none", async () => {
    expect((await mlsys(["launch", join(folder, "none.ts")])).err).toContain("none.ts is not there");
    writeFileSync(join(folder, "plain.mjs"), "export default 1;");
    const { code, err } = await mlsys(["launch", join(folder, "plain.mjs")]);
    expect((await mlsys(["launch", join(folder, "plain.mjs"), "speed"])).err).toContain(
      '"speed": name:=value is expected after the launch file',
    );
    expect(err).toContain("its default export is no launch description");
    expect(code).toBe(1);
  });

  it("ends all on a signal, the busy too", async () => {
    const { child, ended, pids } = await staying();
    child.kill("SIGINT");
    const { code, err } = await ended;
    expect(err).toContain("mlsys: ending all: SIGINT\n");
    expect(code).toBe(130);
    await until(() => !pids.some(isAlive));
  });

  it("leaves nothing behind when it is killed", async () => {
    const { child, ended, pids } = await staying();
    child.kill("SIGKILL");
    await until(() => !pids.some(isAlive));
    await ended;
  });
});
