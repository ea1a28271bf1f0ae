/**
 * Peers that tests compare deployed models with: installed from npm once, into `.mlsys/peers`, by whoever needs them first.
 * ONNX Runtime's package carries its library for CPUs; the install script, which would fetch GPU parts, is told to skip.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type DType, type Tensor, tensor } from "../../src/index.js";

const peers = fileURLToPath(new URL("../../../.mlsys/peers", import.meta.url));

/** What `require(name)` gives, of a package pinned to a version. */
export function peer<T>(name: string, version: string): T {
  const folder = join(peers, `${name.replaceAll("/", "+")}@${version}`);
  if (!existsSync(folder)) install(folder, `${name}@${version}`);
  return createRequire(join(folder, "package.json"))(name) as T;
}

/** Beside its place first: two tests may install the same at a time, and the first one wins. */
function install(folder: string, what: string): void {
  mkdirSync(peers, { recursive: true });
  const partial = mkdtempSync(`${folder}.`);
  writeFileSync(join(partial, "package.json"), '{ "private": true }\n');
  execFileSync(
    process.platform === "win32" ? "npm.cmd" : "npm",
    ["install", "--no-audit", "--no-fund", what],
    {
      cwd: partial,
      stdio: "pipe",
      env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip" },
    },
  );
  try {
    renameSync(partial, folder);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
}

interface OrtTensor {
  readonly type: string;
  readonly data: ArrayLike<number | bigint>;
  readonly dims: readonly number[];
}

interface OrtSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Record<string, OrtTensor>): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}

interface Ort {
  Tensor: new (type: string, data: unknown, dims: readonly number[]) => OrtTensor;
  InferenceSession: { create(model: Uint8Array | string, options: object): Promise<OrtSession> };
}

const loaded = (): Ort => peer<Ort>("onnxruntime-node", "1.30.0");

/** Longest that an installation may take. */
export const INSTALLING_MS = 600_000;

/** Installs and loads it; for `beforeAll`, since the first time takes long. */
export function prepareOnnxRuntime(): void {
  loaded();
}

const ARRAYS = {
  float64: Float64Array,
  float32: Float32Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

function toOrt(x: Tensor): OrtTensor {
  const { Tensor: Made } = loaded();
  if (x.dtype === "int64") return new Made("int64", x.toBigInt64Array(), x.shape);
  const Elements = ARRAYS[x.dtype as keyof typeof ARRAYS];
  return new Made(x.dtype, Elements.from(x.toTypedArray()), x.shape);
}

/** What ONNX Runtime computes: the outputs, in order. `model`: its bytes, or a file. */
export async function runOnnxRuntime(
  model: Uint8Array | string,
  inputs: readonly Tensor[],
): Promise<Tensor[]> {
  const session = await loaded().InferenceSession.create(model, {
    logSeverityLevel: 4,
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  });
  try {
    const found = await session.run(
      Object.fromEntries(session.inputNames.map((name, i) => [name, toOrt(inputs[i])])),
    );
    return session.outputNames.map((name) => {
      const { data, dims, type } = found[name];
      return tensor(Float64Array.from(data, Number), { shape: dims, dtype: type as DType });
    });
  } finally {
    await session.release();
  }
}
