// Peers from PyPI, in Python environments of their own under .mlsys.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** @returns the Python that has a peer, or why there is none */
export function pythonPeer(folder, { what, proof }) {
  const venv = join(root, ".mlsys", folder);
  const python = join(venv, "bin", "python");
  try {
    execFileSync(python, ["-c", proof], { stdio: "pipe" });
    return { python, problem: null }; // from this suite or another one
  } catch {
    // not yet
  }
  try {
    console.log(`installing peers: ${what.join(" ")}`);
    mkdirSync(join(root, ".mlsys"), { recursive: true });
    if (!existsSync(python)) execFileSync("python3", ["-m", "venv", venv], { stdio: "pipe" });
    const pip = ["-m", "pip", "install", "-q", "--disable-pip-version-check", ...what];
    execFileSync(python, pip, { stdio: "pipe" });
    execFileSync(python, ["-c", proof], { stdio: "pipe" });
    return { python, problem: null };
  } catch (error) {
    const lines = String(error.stderr ?? error.message)
      .trim()
      .split("\n");
    return { python, problem: `not installed: ${lines.at(-1)}` };
  }
}
