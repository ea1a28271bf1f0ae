/** One writer per file: a lock file names the process that writes. */
import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { MlsysError } from "../../../core/errors.js";

/**
 * Takes the lock of `path`; the lock of a process that is gone is taken over.
 * @returns gives it back
 * @throws MlsysError naming the process that holds it.
 */
export function lockFile(path: string): () => void {
  const lock = `${path}.lock`;
  for (let tries = 0; ; tries++) {
    try {
      const fd = openSync(lock, "wx");
      writeSync(fd, `${process.pid} ${hostname()}\n`);
      closeSync(fd);
      return () => rmSync(lock, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const [pid, host] = holder(lock);
      if (tries > 0 || host !== hostname() || alive(Number(pid)))
        throw new MlsysError(
          `${path} is being written by process ${pid} on ${host}; if it is gone, delete ${lock}`,
        );
      rmSync(lock, { force: true });
    }
  }
}

function holder(lock: string): string[] {
  try {
    const [pid = "?", host = "?"] = readFileSync(lock, "utf8").trim().split(" ");
    return [pid, host];
  } catch {
    return ["?", "?"];
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
