// ONNX Runtime for Node as a peer, installed once; its library for CPUs is in the package.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const version = "1.30.0";
const folder = join(root, ".mlsys", "peers", `onnxruntime-node@${version}`);

/** @returns the module, or why it is not there */
export function onnxruntime() {
  try {
    if (!existsSync(folder)) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
      execFileSync("npm", ["install", "--no-audit", "--no-fund", `onnxruntime-node@${version}`], {
        cwd: folder,
        stdio: "pipe",
        env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip" },
      });
    }
    return { ort: createRequire(join(folder, "package.json"))("onnxruntime-node"), missing: null };
  } catch (error) {
    const last = String(error.stderr ?? error.message)
      .trim()
      .split("\n")
      .at(-1);
    return { ort: null, missing: `not installed: ${last}` };
  }
}
