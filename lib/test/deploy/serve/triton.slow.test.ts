/** Triton's own clients for Python, over HTTP and gRPC: what they see of the server is what it is. */
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Tensor } from "../../../src/index.js";
import { deploy, Gate, type ModelServer } from "../../support/serving.js";

const ROOT = fileURLToPath(new URL("../../../..", import.meta.url));
const VENV = join(ROOT, ".mlsys", "tritonclient-venv");
const PACKAGES = ["tritonclient[http,grpc]==2.73.0"];

/** A Python with the clients, installed once. `null`: there is no Python; in CI that is an error. */
function pythonWithClients(): string | null {
  const own = join(VENV, "bin", "python");
  const has = (python: string): boolean =>
    spawnSync(python, ["-c", "import tritonclient.http, tritonclient.grpc"]).status === 0;
  if (existsSync(own) && has(own)) return own;
  if (spawnSync("python3", ["--version"]).status !== 0 && process.env.CI !== "true") return null;
  mkdirSync(join(ROOT, ".mlsys"), { recursive: true });
  execFileSync("python3", ["-m", "venv", VENV], { stdio: "pipe" });
  execFileSync(own, ["-m", "pip", "install", "-q", ...PACKAGES], { stdio: "pipe" });
  return own;
}

let python: string | null = null;
let folder: string;
let server: ModelServer;
const gate = new Gate();
beforeAll(async () => {
  python = pythonWithClients();
  folder = mkdtempSync(join(tmpdir(), "mlsys-triton-"));
  mkdirSync(join(folder, "other", "1"), { recursive: true });
  const model = (x: Tensor) => x.mul(2);
  const names = { inputNames: ["x"], outputNames: ["y"] };
  writeFileSync(join(folder, "other", "1", "model.onnx"), deploy.writeOnnx(model, ["float32(n, 3)"], names));
  const engine = {
    async *submit({ prompt, maxTokens }: { prompt: readonly number[]; maxTokens: number }) {
      for (let i = 1; i <= maxTokens; i++) yield { token: (prompt.at(-1) as number) + i };
    },
  };
  server = await deploy.serve({
    repositories: [folder],
    models: { double: { model, inputs: ["float32(n, 3)"], ...names }, slow: gate.model(), count: { engine } },
  });
}, 600_000);
afterAll(async () => {
  gate.open();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Session {
  readonly [seen: string]: unknown;
}

describe("Triton's clients", () => {
  it("see health, metadata, configuration, answers, errors, deadlines, loading and streams", async (test) => {
    if (python === null) return test.skip("there is no Python");
    const script = fileURLToPath(new URL("./triton_client.py", import.meta.url));
    const { stdout } = await promisify(execFile)(python, [
      script,
      server.url.replace("http://", ""),
      server.grpcUrl as string,
    ]);
    const { http, json, grpc } = JSON.parse(stdout) as Record<"http" | "json" | "grpc", Session>;
    const y = [[0, 2, 4], [6, 8, 10]]; // biome-ignore format: a matrix
    for (const [session, notFound, late, unavailable] of [
      [http, "404", "504", "503"],
      [json, "404", "504", "503"],
      [grpc, "StatusCode.NOT_FOUND", "StatusCode.DEADLINE_EXCEEDED", "StatusCode.UNAVAILABLE"],
    ] as const) {
      expect(session).toMatchObject({
        ...{ live: true, ready: true, model_ready: true, y, named: y, loaded: y, id: "seven" },
        unknown_model: { status: notFound, message: 'there is no model "nobody"' },
        unknown_version: { status: notFound, message: 'model "double" has no version "9"; loaded: 1' },
        late: { status: late, message: 'model "slow", version 1: no answer in 1 ms, the request\'s time' },
        unloaded: { status: unavailable, message: 'model "other" is not loaded' },
        metadata: {
          name: "double",
          versions: ["1"],
          platform: "onnx_onnxv1",
          inputs: [{ name: "x", datatype: "FP32" }],
        },
        server: { name: "mlsys" },
        config: { name: "double", max_batch_size: 32, backend: "mlsys" },
      });
      const index = session.index as { name: string; state: string }[];
      expect(index.map(({ name, state }) => [name, state]).sort()).toEqual(
        ["count", "double", "other", "slow"].map((name) => [name, "READY"]),
      );
    }
    expect(grpc).toMatchObject({
      deadline: { status: "StatusCode.DEADLINE_EXCEEDED" },
      tokens: [8, 9, 10, 11],
    });
  });
});
