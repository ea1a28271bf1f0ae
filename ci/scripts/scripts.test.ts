/** npm start, npm test, npm run fuzz, npm run bench: what they say to wrong options and to machines that lack something. */
import { execFile } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { findPython } from "./setup.mjs";

interface Ended {
  code: number;
  out: string;
  err: string;
}

function script(name: string, args: readonly string[], nodeArgs: readonly string[] = []): Promise<Ended> {
  const file = fileURLToPath(new URL(`${name}.mjs`, import.meta.url));
  return new Promise((resolve) => {
    execFile(process.execPath, [...nodeArgs, file, ...args], { timeout: 60_000 }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    );
  });
}

const lines = (text: string): string[] => text.trim().split("\n");

describe("wrong options", () => {
  it.each([
    ["start", ["--bad"], "Unknown option '--bad'."],
    ["start", ["--port", "ninety"], '--port takes a number from 0 to 65535, not "ninety".'],
    ["start", ["--port"], "Option '--port <value>' argument missing."],
    ["start", ["notebooks"], "Unexpected argument 'notebooks'."],
    ["test", ["--bad"], "Unknown option '--bad'."],
    ["fuzz", ["--rounds", "none"], '--rounds takes a whole number from 1 on, not "none".'],
    ["fuzz", ["--bad"], "Unknown option '--bad'."],
    ["bench", [], "Name a suite."],
    ["bench", ["nothing"], 'There is no suite "nothing".'],
    ["bench", ["kernel", "compute"], 'One suite at a time: "compute" is too much.'],
  ])("%s %j: a sentence and the usage", async (name, args, sentence) => {
    const { code, out, err } = await script(name, args);
    expect([code, out]).toEqual([2, ""]);
    expect(lines(err)[0]).toBe(sentence);
    expect(lines(err)[1]).toMatch(new RegExp(`^Usage: npm (run )?${name}`));
  });

  it("--help is no error", async () => {
    const { code, out } = await script("start", ["--help"]);
    expect(code).toBe(0);
    expect(out).toMatch(/^Usage: npm start -- \[options\]/);
  });
});

describe("a port that somebody has", () => {
  it("is told at once, not after the installation", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as { port: number };
    const { code, err } = await script("start", ["--no-browser", "--port", String(port)]);
    server.close();
    expect(code).toBe(1);
    expect(lines(err)).toHaveLength(1);
    expect(err).toContain(String(port));
  });
});

describe("an old Node", () => {
  const old = `data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"18.20.0"}})`;

  it.each(["start", "test"])("npm %s says what to install", async (name) => {
    const { code, err } = await script(name, [], ["--import", old]);
    expect(code).toBe(1);
    expect(err.trim()).toBe(
      "Node 20 or later is needed, this is Node 18.20.0: install one from https://nodejs.org.",
    );
  });
});

describe("Python", () => {
  const path = process.env.PATH;
  const folder = mkdtempSync(join(tmpdir(), "mlsys-python-"));
  afterEach(() => {
    process.env.PATH = path;
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const fake = (name: string, version: string): void => {
    writeFileSync(join(folder, name), `#!/bin/sh\necho ${version}\n`);
    chmodSync(join(folder, name), 0o755);
  };

  it.skipIf(process.platform === "win32")(
    "that is missing or old is told in a sentence; a newer one beside it is found",
    () => {
      process.env.PATH = folder;
      expect(() => findPython()).toThrow(
        /^Python 3\.10 or later is needed and none was found: install it from/,
      );
      fake("python3", "3.8");
      expect(() => findPython()).toThrow(
        /^Python 3\.10 or later is needed, this machine has 3\.8: install one from/,
      );
      fake("python3.12", "3.12");
      expect(findPython()).toEqual(["python3.12", []]);
    },
  );
});
