/** Jobs under `mpirun`, where the machine has one. */
import { execFile, execFileSync } from "node:child_process";

/** Open MPI's launcher as this user can use it, with more members than cores; null where there is none. */
export const MPIRUN: readonly string[] | null = (() => {
  try {
    const version = execFileSync("mpirun", ["--version"], { encoding: "utf8", stdio: "pipe" });
    if (!version.includes("Open MPI")) return ["mpirun"];
    return ["mpirun", ...(process.getuid?.() === 0 ? ["--allow-run-as-root"] : []), "--oversubscribe"];
  } catch {
    return null;
  }
})();

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `node …args` as `size` members. */
export function mpirun(size: number, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const [program, ...options] = MPIRUN as readonly string[];
  return new Promise((resolve) => {
    execFile(
      program,
      [...options, "-n", String(size), process.execPath, ...args],
      { env: { ...process.env, ...env }, maxBuffer: 2 ** 26 },
      (error, out, err) => resolve({ code: error ? Number(error.code ?? 1) : 0, out, err }),
    );
  });
}
