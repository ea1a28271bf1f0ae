/** The server as a process of its own: SIGTERM, SIGHUP, and a kill in the middle. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Tensor } from "../../../src/index.js";
import { type Ended, mlsys, start } from "../../support/cli.js";
import { deploy, inferJson, post, tensor, until } from "../../support/serving.js";

let folder: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mlsys-serve-"));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

const one = tensor([[1, 2, 3]]);

function put(version: number, factor: number): void {
  const place = join(folder, "m", String(version));
  mkdirSync(place, { recursive: true });
  const names = { inputNames: ["x"], outputNames: ["y"] };
  writeFileSync(
    join(place, "model.onnx"),
    deploy.writeOnnx((x: Tensor) => x.mul(factor), ["float32(n, 3)"], names),
  );
}

/** A process that says at which URL it serves. */
async function serving(child: ChildProcess): Promise<string> {
  children.push(child);
  let text = "";
  child.stdout?.on("data", (chunk) => {
    text += chunk;
  });
  let over = false;
  child.on("close", () => {
    over = true;
  });
  await until(() => over || /^HTTP \S+$/m.test(text));
  expect(text).toMatch(/^HTTP http:\/\//m);
  return (/^HTTP (\S+)$/m.exec(text) as RegExpExecArray)[1];
}

const command = (...args: string[]): { child: ChildProcess; ended: Promise<Ended> } =>
  start(["serve", ...args, "--port", "0", "--grpc-port", "0"]);

describe("mlsys serve", () => {
  it("serves files and folders, looks for new versions at SIGHUP, and ends well at SIGTERM", async () => {
    put(1, 2);
    const { child, ended } = command(
      folder,
      `named=${join(folder, "m", "1", "model.onnx")}`,
      "--max-batch",
      "4",
      "--log",
    );
    const client = deploy.client(await serving(child));
    expect((await client.infer("named", { x: one })).outputs.y.toArray()).toEqual([[2, 4, 6]]);
    expect((await client.infer("m", { x: one }, { id: "a" })).version).toBe("1");
    put(2, 3);
    child.kill("SIGHUP");
    await until(async () => (await client.metadata("m")).versions.includes("2"));
    await until(async () => (await client.infer("m", { x: one })).version === "2");
    child.kill("SIGTERM");
    const { code, out, err } = await ended;
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(/^✓ m 1 \(onnx_onnxv1\): x FP32\[-1,3\] → y FP32\[-1,3\]$/m),
    ]);
    expect(out).toMatch(/Closing: requests that are here are answered/);
    const [entry] = err
      .trim()
      .split("\n")
      .map((text) => JSON.parse(text) as object);
    expect(entry).toMatchObject({ protocol: "http", model: "named", code: "OK" });
  });

  it("says what is wrong with its arguments, and with models", async () => {
    const [missing, twice, port] = await Promise.all([
      mlsys(["serve", join(folder, "nothing.onnx")]),
      mlsys(["serve", `a=${folder}`, `a=${folder}`]),
      mlsys(["serve", folder, "--port", "70000"]),
    ]);
    expect(missing).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^mlsys: .*nothing.onnx is not there\n$/),
    });
    expect(twice).toMatchObject({
      code: 1,
      err: expect.stringMatching(/two models are named "a": write NAME=/),
    });
    expect(port).toMatchObject({ code: 2, err: expect.stringMatching(/A port is a number up to 65535/) });
  });
});

/** A server whose model waits for a word on its standard input: what a run is in the middle of is known. */
const gated = (): ChildProcess =>
  spawn(process.execPath, [fileURLToPath(new URL("./gated-server.mjs", import.meta.url))], {
    stdio: ["pipe", "pipe", "inherit"],
  });

/** Starts requests, and waits until one runs and the others are accepted. */
async function underWay(url: string, count: number): Promise<Promise<Response>[]> {
  const asked = Array.from({ length: count }, (_, i) =>
    post(`${url}/v2/models/m/infer`, inferJson(i, { id: String(i) })),
  );
  for (const answer of asked) answer.catch(() => {}); // looked at later
  const accepted = `mlsys_serve_in_flight{model="m",version="1"} ${count}`;
  await until(async () => (await (await fetch(`${url}/metrics`)).text()).includes(accepted));
  return asked;
}

describe("a server that is told to end", () => {
  it("answers every request that it has accepted, and is not ready meanwhile", async () => {
    const child = gated();
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    const url = await serving(child);
    const asked = await underWay(url, 6);
    child.kill("SIGTERM");
    await until(
      async () =>
        !(await deploy
          .client(url)
          .isReady()
          .catch(() => false)),
    );
    child.stdin?.write("open\n");
    const answers = await Promise.all(
      asked.map(
        async (answer) => (await (await answer).json()) as { id: string; outputs: { data: number[] }[] },
      ),
    );
    expect(answers.map(({ id, outputs }) => [id, outputs[0].data[0]])).toEqual(
      Array.from({ length: 6 }, (_, i) => [String(i), 2 * i]),
    );
    expect(await ended).toBe(0);
  });

  it("and is killed instead: each request has its answer or fails visibly, none waits for ever", async () => {
    const child = gated();
    const url = await serving(child);
    const client = deploy.client(url);
    child.stdin?.write("open\n");
    const answered: number[] = [];
    const failed: unknown[] = [];
    let started = 0;
    let killed = false;
    const readers = Array.from({ length: 8 }, async () => {
      while (!killed) {
        const value = started++;
        const row = tensor([[value, 0, 0]]);
        await client.infer("m", { x: row }, { id: String(value) }).then(
          ({ outputs, id }) => {
            expect([id, outputs.y.toArray()]).toEqual([String(value), [[2 * value, 0, 0]]]);
            answered.push(value);
          },
          (error: unknown) => failed.push(error),
        );
      }
    });
    await until(() => answered.length >= 100);
    child.stdin?.write("shut\n"); // now some are in the middle of a run
    await until(async () =>
      /in_flight\{model="m",version="1"\} 8/.test(await (await fetch(`${url}/metrics`)).text()),
    );
    child.kill("SIGKILL");
    killed = true;
    await Promise.all(readers);
    expect(failed).toHaveLength(8);
    for (const error of failed) expect(error).toMatchObject({ name: "ServeError", code: "UNAVAILABLE" });
    expect(answered.length + failed.length).toBe(started);
    expect(new Set(answered).size).toBe(answered.length);
    await expect(client.infer("m", { x: one })).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });
});
