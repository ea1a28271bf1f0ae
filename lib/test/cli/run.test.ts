import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mlsys, start } from "../support/cli.js";

const scripts = fileURLToPath(new URL("./scripts/", import.meta.url));
const member = join(scripts, "member.ts");
/** Launchers above this one are not to be seen. */
const alone = { RANK: undefined, WORLD_SIZE: undefined };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mlsys-run-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const run = (...args: string[]) => mlsys(["run", ...args], alone);
const lines = (text: string): string[] => text.trimEnd().split("\n").sort();

/** Until it is so. */
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

/** Members that compute for ever, and their processes. */
async function busy(count: number) {
  const launcher = start(["run", "-n", String(count), member, "busy", folder], alone);
  const files = Array.from({ length: count }, (_, rank) => join(folder, `${rank}.pid`));
  await until(() => files.every((file) => existsSync(file) && readFileSync(file, "utf8") !== ""));
  return { ...launcher, pids: files.map((file) => Number(readFileSync(file, "utf8"))) };
}

describe("mlsys run", () => {
  it("runs a TypeScript script as members, with their numbers before each line", async () => {
    const { code, out, err } = await run("-n", "2", member, "say", "--lr", "0.1");
    expect(lines(out)).toEqual([
      "[0] 2 0 0 127.0.0.1 --lr 0.1",
      "[0] no end of line",
      "[1] 2 1 0 127.0.0.1 --lr 0.1",
      "[1] no end of line",
    ]);
    expect(lines(err)).toEqual(["[0] port true", "[1] port true"]);
    expect(code).toBe(0);
  });

  it("is one part of a job of several machines", async () => {
    const part = (rank: string) =>
      run("-n", "1", "--nnodes", "2", "--node-rank", rank, "--rdzv", "tcp://host0:29500", member, "say");
    const [first, second] = await Promise.all([part("0"), part("1")]);
    expect(lines(first.out)[0]).toBe("[0] 2 0 0 host0");
    expect(lines(second.out)[0]).toBe("[1] 2 0 1 host0");
  });

  it("ends all when one fails, with its error, its place in the source and its code", async () => {
    const { code, out, err } = await run("-n", "2", member, "fail", "1");
    expect(code).toBe(1);
    expect(out).toBe("");
    expect(err).toContain("[1] Error: gives up with 3");
    expect(err).toMatch(/\[1\] {5}at fail \(\S*tasks\.ts:10:9\)/);
    expect(err).toMatch(/mlsys: rank 1 \(process \d+\) ended with exit code 1; the others were ended\n$/);
    expect((await run(member, "code")).code).toBe(4);
  });

  it("starts all again, so often as it is told", async () => {
    const { code, out, err } = await run("-n", "2", "--max-restarts", "1", member, "later");
    expect(code).toBe(0);
    expect(err).toMatch(/^mlsys: rank 0 \(process \d+\) ended with exit code 9; start 2 of at most 2\n$/);
    expect(lines(out)).toEqual(expect.arrayContaining(["[0] restart 1", "[1] restart 1"]));
  });

  it("hands signals on, and a second one ends members that don't listen", async () => {
    const { child, ended, pids } = await busy(2);
    child.kill("SIGTERM");
    child.kill("SIGINT");
    expect([130, 143]).toContain((await ended).code);
    await until(() => !pids.some(isAlive));
  });

  it.skipIf(process.platform === "win32")("leaves no member behind when it is killed itself", async () => {
    const { child, ended, pids } = await busy(2);
    expect(pids.map(isAlive)).toEqual([true, true]);
    child.kill("SIGKILL");
    await ended;
    await until(() => !pids.some(isAlive));
  });

  it("says what is wrong with its arguments and with a script", async () => {
    const said = async (...args: string[]) => {
      const { code, err } = await run(...args);
      return `${code} ${err}`;
    };
    expect(await said(join(folder, "none.ts"))).toMatch(/^1 mlsys: \S+none\.ts is not there\n$/);
    expect(await said("-n", "0", member)).toContain("A whole number from 1 is expected.");
    expect(await said("--nnodes", "2", member)).toContain("--rdzv tcp://HOST:PORT is needed with --nnodes");
    expect(await said("--rdzv", "host0", member)).toContain('--rdzv is "host0": tcp://HOST:PORT is expected');
    expect(await said("--nnodes", "2", "--node-rank", "2", "--rdzv", "tcp://a:1", member)).toContain(
      "--node-rank is 2, but --nnodes is 2",
    );
    const wrong = join(folder, "wrong.ts");
    writeFileSync(wrong, "const x: number = 1;\nconst y = = 2;\n");
    expect(await said(wrong)).toMatch(/SyntaxError\b.*: \S*wrong\.ts:2:11: Expression expected/);
  });

  it("finds the library from a folder that has none, and JavaScript runs too", async () => {
    const script = join(folder, "script.mjs");
    writeFileSync(script, 'import { tensor } from "mlsys";\nconsole.log(tensor([1, 2]).sum().item());\n');
    expect(await run(script)).toEqual({ code: 0, out: "[0] 3\n", err: "" });
  });
});
