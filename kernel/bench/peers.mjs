// The kernels that are measured beside ours: how each is started, and what its cells look like in its language.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
const here = dirname(fileURLToPath(import.meta.url));
const host = join(here, "..", "dist", "host", "main.js");
const root = join(here, "..", "..");
const venv = join(root, ".mlsys", "test-venv", "bin", "python");

const typescript = {
  simple: "1 + 1",
  state: "const kept = 42",
  readState: "kept",
  lines: (count) => `for (let i = 0; i < ${count}; i++) console.log("line " + i)`,
  loop: "while (true) {}",
  busy: (ms) => `{ const end = Date.now() + ${ms}; while (Date.now() < end); }`,
  members: { define: "const probe = { alpha: 1, beta: 'two', gamma: [3] }", code: "probe." },
  typed: typedCell,
};

const python = {
  simple: "1 + 1",
  state: "kept = 42",
  readState: "kept",
  lines: (count) => `for i in range(${count}): print("line " + str(i))`,
  loop: "while True: pass",
  busy: (ms) => `import time\nend = time.time() + ${ms / 1000}\nwhile time.time() < end: pass`,
  members: {
    define: "class Probe: alpha = 1; beta = 'two'; gamma = [3]\nprobe = Probe()",
    code: "probe.",
  },
  typed: pythonCell,
};

/** Each peer's start command, or the reason why it cannot run. */
export function kernels() {
  return {
    mlsys: { argv: [process.execPath, host, "{connection_file}"], cells: typescript, checked: true },
    tslab: tslab(),
    deno: deno(),
    ipykernel: ipykernel(),
  };
}

// tslab lives in a folder of its own: its TypeScript brings a `tsc` that would take the place of the workspace's.
function tslab() {
  const folder = join(root, ".mlsys", "peers", "tslab");
  const package_ = join(folder, "node_modules", "tslab");
  try {
    if (!existsSync(package_)) {
      mkdirSync(folder, { recursive: true });
      const install = [
        "install",
        "--prefix",
        folder,
        "--no-audit",
        "--no-fund",
        "tslab@1.0.22",
        "@types/node@20",
      ];
      execFileSync("npm", install, { stdio: "ignore", timeout: 300_000 });
    }
    // It looks for @types/node beside itself only; without it no cell that says `console` runs.
    const types = join(package_, "node_modules", "@types");
    if (!existsSync(types)) {
      mkdirSync(dirname(types), { recursive: true });
      symlinkSync(join(folder, "node_modules", "@types"), types, "dir");
    }
    return {
      argv: [
        process.execPath,
        join(package_, "bin", "tslab"),
        "kernel",
        "--config-path",
        "{connection_file}",
      ],
      cells: typescript,
      checked: true,
      // Past about 500 lines it loses lines and the idle status: measuring would only wait.
      losesLines: true,
    };
  } catch (error) {
    return { missing: `npm package tslab cannot be installed: ${error.message.split("\n")[0]}` };
  }
}

function deno() {
  try {
    const bin = join(dirname(require.resolve("deno/package.json")), "bin.cjs");
    const path = join(dirname(bin), process.platform === "win32" ? "deno.exe" : "deno");
    const command = existsSync(path) ? [path] : [process.execPath, bin];
    execFileSync(command[0], [...command.slice(1), "--version"], { stdio: "ignore" });
    return {
      argv: [...command, "jupyter", "--kernel", "--conn", "{connection_file}"],
      env: { NO_COLOR: "1" },
      cells: typescript,
      checked: false,
    };
  } catch (error) {
    return { missing: `npm package deno does not run: ${error.message.split("\n")[0]}` };
  }
}

function ipykernel() {
  try {
    execFileSync(venv, ["-c", "import ipykernel"], { stdio: "ignore" });
    return {
      argv: [venv, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
      cells: python,
      checked: false,
    };
  } catch {
    return { missing: "no ipykernel in .mlsys/test-venv (the kernel's tests make it)" };
  }
}

function typedCell(i) {
  return `interface Point${i} { x: number; y: number; label?: string }
const points${i}: Point${i}[] = Array.from({ length: 50 }, (_, k) => ({ x: k, y: k * k }));
function norm${i}(p: Point${i}): number {
  return Math.hypot(p.x, p.y);
}
type Stats${i} = { mean: number; max: number };
function stats${i}(values: readonly number[]): Stats${i} {
  const sum = values.reduce((a, b) => a + b, 0);
  return { mean: sum / values.length, max: Math.max(...values) };
}
const norms${i} = points${i}.map(norm${i});
const summary${i} = stats${i}(norms${i});
class Model${i} {
  constructor(private readonly weights: number[]) {}
  predict(x: number): number {
    return this.weights.reduce((acc, w, k) => acc + w * x ** k, 0);
  }
}
const model${i} = new Model${i}([1, 2, 3]);
model${i}.predict(summary${i}.mean) > 0`;
}

function pythonCell(i) {
  return `import math
from dataclasses import dataclass
@dataclass
class Point${i}:
    x: float
    y: float
points${i} = [Point${i}(k, k * k) for k in range(50)]
def norm${i}(p: Point${i}) -> float:
    return math.hypot(p.x, p.y)
def stats${i}(values: list) -> dict:
    return {"mean": sum(values) / len(values), "max": max(values)}
norms${i} = [norm${i}(p) for p in points${i}]
summary${i} = stats${i}(norms${i})
class Model${i}:
    def __init__(self, weights: list):
        self.weights = weights
    def predict(self, x: float) -> float:
        return sum(w * x ** k for k, w in enumerate(self.weights))
model${i} = Model${i}([1, 2, 3])
model${i}.predict(summary${i}["mean"]) > 0`;
}
