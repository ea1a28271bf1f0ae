/** Python's own Jupyter clients as judges: a virtual environment beside the repository, made once and kept. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const VENV = join(ROOT, ".mlsys", "test-venv");
const PYTHON = join(VENV, "bin", "python");

/**
 * The environment's python with the packages installed, or the reason why there is none.
 * @throws when `CI` is set and there is none: there, nothing may be skipped.
 */
export function pythonWith(packages: Record<string, string>): { python: string } | { missing: string } {
  const release = lock();
  try {
    if (!existsSync(PYTHON)) run("python3", ["-m", "venv", VENV]);
    const absent = Object.entries(packages).filter(([module]) => !imports(module));
    if (absent.length > 0)
      run(PYTHON, ["-m", "pip", "install", "--quiet", ...absent.map(([, requirement]) => requirement)]);
    return { python: PYTHON };
  } catch (error) {
    if (process.env.CI) throw error;
    return { missing: `no Python environment: ${(error as Error).message.split("\n")[0]}` };
  } finally {
    release();
  }
}

function imports(module: string): boolean {
  try {
    run(PYTHON, ["-c", `import ${module}`]);
    return true;
  } catch {
    return false;
  }
}

function run(command: string, args: string[]): void {
  execFileSync(command, args, { stdio: ["ignore", "ignore", "pipe"], timeout: 240_000 });
}

/** Several test files may want the environment at once: one makes it, the others wait. */
function lock(): () => void {
  const directory = `${VENV}.lock`;
  mkdirSync(join(ROOT, ".mlsys"), { recursive: true });
  const cell = new Int32Array(new SharedArrayBuffer(4));
  for (let tries = 0; ; tries++) {
    try {
      mkdirSync(directory);
      return () => rmdirSync(directory);
    } catch {
      if (tries > 600) rmdirSync(directory);
      Atomics.wait(cell, 0, 0, 500);
    }
  }
}
