// Peers from npm, each installed once into .mlsys/peers; ONNX Runtime's package carries its library for CPUs.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** What `require(name)` gives of a package. @throws Error if it can't be installed */
export function peer(name, version) {
  const folder = join(root, ".mlsys", "peers", `${name}@${version}`);
  if (!existsSync(folder)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
    execFileSync("npm", ["install", "--no-audit", "--no-fund", `${name}@${version}`], {
      cwd: folder,
      stdio: "pipe",
      env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip" },
    });
  }
  return createRequire(join(folder, "package.json"))(name);
}

export const onnxruntime = () => peer("onnxruntime-node", "1.30.0");
export const autocannon = () => peer("autocannon", "9.0.0");

/** @returns the module that `find` gives, or why it is not there */
export function tried(find) {
  try {
    return { module: find(), missing: null };
  } catch (error) {
    const last = String(error.stderr ?? error.message)
      .trim()
      .split("\n")
      .at(-1);
    return { module: null, missing: `not installed: ${last}` };
  }
}
